/** Claims: an item is one annotator's for a while, and nobody else's. A lease that runs out gives it back. */

import type { Kysely, Transaction } from 'kysely'
import { EmendError } from '../../errors.js'
import { type Annotator, annotatorOf } from './annotators.js'
import { type ItemRow, itemOf, type QueueItem, readRow } from './items.js'
import type { Tables } from './schema.js'

/** The item is not this annotator's: someone else holds it, or has decided it. */
export class ClaimError extends EmendError {
  override name = 'ClaimError'
}

/** How `claim` chooses and for how long. */
export interface ClaimOptions {
  /** This item, whatever its status, so that it can be revised; default: the first that is pending. */
  readonly item?: string
  /** Default 600. */
  readonly leaseSeconds?: number
}

/** When a lease that begins now ends. */
export const leaseEnd = (seconds = 600): number => Date.now() + seconds * 1000

/** Takes an item; null where none is pending, or the named one is held by someone else. */
export async function claim(
  db: Kysely<Tables>,
  who: Annotator,
  { item, leaseSeconds }: ClaimOptions = {},
): Promise<QueueItem | null> {
  const { name, window } = annotatorOf(who)
  return await db.transaction().execute(async trx => {
    await endLeases(trx)
    const first = trx.selectFrom('items').select('id').where('status', '=', 'pending').orderBy('n').limit(1)
    const taken = await trx
      .updateTable('items')
      .set({ status: 'claimed', annotator: name, window, lease_until: leaseEnd(leaseSeconds) })
      .where('id', '=', item ?? first)
      .where(row =>
        row.or([row('status', '!=', 'claimed'), row.and([row('annotator', '=', name), row('window', 'is', window)])]),
      )
      .returning('id')
      .executeTakeFirst()
    return taken ? itemOf(await readRow(trx, taken.id, name)) : null
  })
}

/** Holds a claim for longer. @throws ClaimError if it is no longer the annotator's */
export async function renew(db: Kysely<Tables>, id: string, who: Annotator, leaseSeconds?: number): Promise<void> {
  const { name, window } = annotatorOf(who)
  await db.transaction().execute(async trx => {
    await mine(trx, id, who)
    await trx
      .updateTable('items')
      .set({ status: 'claimed', annotator: name, window, lease_until: leaseEnd(leaseSeconds) })
      .where('id', '=', id)
      .execute()
  })
}

/** Saves what is typed, and holds the claim for longer. The text is kept even where the claim was lost. */
export async function saveDraft(db: Kysely<Tables>, id: string, who: Annotator, text: string): Promise<void> {
  const { name } = annotatorOf(who)
  await db.transaction().execute(async trx => {
    await keepDraft(trx, id, name, text)
    await held(trx, id, who).set({ lease_until: leaseEnd() }).execute()
  })
}

/** Keeps a text as the annotator's draft of an item. */
export async function keepDraft(
  trx: Transaction<Tables>,
  item: string,
  annotator: string,
  text: string,
  at = new Date().toISOString(),
): Promise<void> {
  const row = { text: text.toWellFormed(), at }
  await trx
    .insertInto('drafts')
    .values({ item, annotator, ...row })
    .onConflict(conflict => conflict.columns(['item', 'annotator']).doUpdateSet(row))
    .execute()
}

/** Gives a claim back: the item is again what it was before. What was typed stays saved. */
export async function release(db: Kysely<Tables>, id: string, who: Annotator): Promise<void> {
  await held(db, id, who)
    .set(row => ({ status: row.ref('before'), lease_until: null }))
    .execute()
}

/** Items whose lease has run out are again what they were before. */
export async function endLeases(trx: Transaction<Tables>): Promise<void> {
  await trx
    .updateTable('items')
    .set(row => ({ status: row.ref('before'), lease_until: null }))
    .where('status', '=', 'claimed')
    .where('lease_until', '<', Date.now())
    .execute()
}

/**
 * The item, if the annotator may decide it in this window: claimed there, or until the lease ran out and nowhere since. One that
 * was decided since has no window.
 * @throws ClaimError
 */
export async function mine(trx: Transaction<Tables>, id: string, who: Annotator): Promise<ItemRow> {
  const { name, window } = annotatorOf(who)
  const row = await readRow(trx, id, name)
  if (row.annotator === name && row.window === window) return row
  const whose = row.annotator === name ? 'another window of yours' : (row.annotator ?? 'nobody')
  throw new ClaimError(
    row.status === 'claimed'
      ? `item ${id}: claimed by ${whose}; claim another`
      : `item ${id}: ${row.status}, and not claimed by ${name}; claim it first`,
  )
}

/** The update of an item that this annotator holds. */
const held = (db: Kysely<Tables>, id: string, who: Annotator) => {
  const { name, window } = annotatorOf(who)
  return db
    .updateTable('items')
    .where('id', '=', id)
    .where('status', '=', 'claimed')
    .where('annotator', '=', name)
    .where('window', 'is', window)
}
