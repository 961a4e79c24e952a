/** What annotators decide of an item: an edit, none, not now; and that they did not mean it. Nothing is ever deleted. */

import { diffTexts, type Edit, type Prompt } from '@emend/edits'
import { type Kysely, type Selectable, sql, type Transaction } from 'kysely'
import { EmendError } from '../../errors.js'
import { type Annotator, annotatorOf, recordAnnotator } from './annotators.js'
import { insertRow, rowOf } from './by-id.js'
import { endLeases, keepDraft, leaseEnd, mine } from './claims.js'
import { readEdit } from './edits.js'
import { storeId } from './identity.js'
import { type ItemRow, itemOf, type QueueItem, readRow } from './items.js'
import type { ActsTable, DiscardWhy, ItemStatus, Tables } from './schema.js'

/** An item whose last decision was taken back. */
export interface UndoneItem extends QueueItem {
  /** The edit that was withdrawn, if there was one. */
  readonly withdrawn?: Edit
}

/** What an annotator made of an item. */
export interface Submission {
  readonly final: string
  readonly reasons?: readonly string[]
  /** How long it took. */
  readonly seconds?: number
}

/**
 * Stores the edit and closes the item; the same submission again gives back the same edit. An item that had an edit keeps it as
 * the version before.
 * @throws ClaimError if the item is someone else's; EmendError where the final is empty, or the draft unchanged
 */
export async function submit(db: Kysely<Tables>, id: string, who: Annotator, submission: Submission): Promise<Edit> {
  const { window: _, ...by } = annotatorOf(who)
  const final = submission.final.toWellFormed()
  const { seconds = null } = submission
  return await db.transaction().execute(async trx => {
    const now = await readRow(trx, id)
    if (now.status === 'done' && now.annotator === by.name && now.edit) {
      const same = await readEdit(trx, now.edit)
      if (same?.final === final) return same
    }
    const item = await mine(trx, id, who)
    if (final.trim() === '') throw new EmendError(`item ${id}: the final text is empty; discard the item instead`)
    if (final === item.response)
      throw new EmendError(`item ${id}: the final text is the draft; say "no edit needed" instead`)
    const prompt = JSON.parse(item.promptJson) as Prompt
    const reasons = submission.reasons?.length ? submission.reasons : undefined
    const sampled: unknown = item.sampled ? JSON.parse(item.sampled) : undefined
    const edit = {
      id: storeId('edit', prompt, item.response, final, by, reasons, sampled),
      prompt: item.prompt,
      draft: item.response,
      final,
      ops: JSON.stringify(diffTexts(item.response, final)),
      annotator: await recordAnnotator(trx, by),
      at: new Date().toISOString(),
      seconds,
      reasons: reasons ? JSON.stringify(reasons) : null,
      sampled: item.sampled,
      preferred: item.preferred,
      item: id,
      supersedes: item.edit,
      current: 1,
    }
    await retire(trx, item.edit)
    // An edit that was withdrawn or superseded may be made again.
    if (!(await insertRow(trx, 'edits', edit)))
      await trx
        .updateTable('edits')
        .set({ current: 1, at: edit.at, seconds })
        .where('n', '=', rowOf('edits', sql.val(edit.id)))
        .execute()
    await decide(trx, item, by, { act: 'submit', status: 'done', edit: edit.id, seconds })
    return (await readEdit(trx, edit.id))!
  })
}

/** Closes an item without an edit; one that it had is withdrawn. @throws ClaimError if the item is someone else's */
export async function discard(
  db: Kysely<Tables>,
  id: string,
  who: Annotator,
  { why, reason = null }: { readonly why: DiscardWhy; readonly reason?: string | null },
): Promise<void> {
  const by = annotatorOf(who)
  await db.transaction().execute(async trx => {
    const now = await readRow(trx, id)
    if (now.status === 'discarded' && now.annotator === by.name && now.why === why) return
    const item = await mine(trx, id, who)
    await recordAnnotator(trx, by)
    await retire(trx, item.edit)
    await decide(trx, item, by, { act: 'discard', status: 'discarded', edit: null, why, reason })
  })
}

/** Passes an item over: nobody is offered it again, but it can be claimed by its id. @throws ClaimError */
export async function skip(db: Kysely<Tables>, id: string, who: Annotator): Promise<void> {
  const by = annotatorOf(who)
  await db.transaction().execute(async trx => {
    const now = await readRow(trx, id)
    const status = now.edit ? 'done' : 'skipped'
    if (now.status === status && now.annotator === by.name) return
    const item = await mine(trx, id, who)
    await decide(trx, item, by, { act: 'skip', status, edit: item.edit })
  })
}

/**
 * Takes back the annotator's last decision: the item is claimed again with the text that was submitted, or typed since, its edit
 * withdrawn and the one before current again. Called again, it takes back the decision before that.
 * @returns null where there is nothing to take back, or someone else went on with the item
 */
export async function undo(db: Kysely<Tables>, who: Annotator): Promise<UndoneItem | null> {
  const { name, window } = annotatorOf(who)
  return await db.transaction().execute(async trx => {
    await endLeases(trx)
    const last = await trx
      .selectFrom('acts')
      .selectAll()
      .where('annotator', '=', name)
      .where('undone', '=', 0)
      .orderBy('n', 'desc')
      .executeTakeFirst()
    if (!last) return null
    const item = await readRow(trx, last.item, name)
    const busy = item.status === 'claimed' && (item.annotator !== name || item.window !== window)
    if (busy || (await decidedSince(trx, last))) return null
    await trx.updateTable('acts').set({ undone: 1 }).where('n', '=', last.n).execute()
    const withdrawn = last.act === 'submit' && last.edit ? await readEdit(trx, last.edit) : undefined
    if (withdrawn) {
      await retire(trx, withdrawn.id)
      // What was typed since the last decision is not what was submitted: it stays.
      const typed = item.typedAt !== null && item.typedAt > (await decidedAt(trx, item.id, name))
      if (!typed) await keepDraft(trx, item.id, name, withdrawn.final, last.at)
    }
    if (last.previous) await setCurrent(trx, last.previous, 1)
    await trx
      .updateTable('items')
      .set({ status: 'claimed', before: last.before, annotator: name, window, lease_until: leaseEnd() })
      .set({ edit: last.previous, why: last.previous_why, reason: last.previous_reason })
      .where('id', '=', item.id)
      .execute()
    return { ...itemOf(await readRow(trx, item.id, name)), ...(withdrawn && { withdrawn }) }
  })
}

/** When the annotator decided the item last, undone or not. */
async function decidedAt(trx: Transaction<Tables>, item: string, annotator: string): Promise<string> {
  const acts = trx.selectFrom('acts').where('item', '=', item).where('annotator', '=', annotator)
  return (await acts.select(({ fn }) => fn.max('at').as('at')).executeTakeFirstOrThrow()).at
}

/** Whether anyone has decided the item after this; whoever only held it left no act. */
async function decidedSince(trx: Transaction<Tables>, { n, item }: Selectable<ActsTable>): Promise<boolean> {
  const later = trx.selectFrom('acts').select('n').where('n', '>', n).where('item', '=', item).where('undone', '=', 0)
  return (await later.executeTakeFirst()) !== undefined
}

interface Decision {
  readonly act: 'submit' | 'discard' | 'skip'
  readonly status: ItemStatus
  readonly edit: string | null
  readonly why?: DiscardWhy
  readonly reason?: string | null
  readonly seconds?: number | null
}

/** Closes the item and writes down what it was before, for `undo`. */
async function decide(trx: Transaction<Tables>, item: ItemRow, by: { name: string }, decision: Decision) {
  const { act, status, edit, why = null, reason = null, seconds = null } = decision
  await trx
    .updateTable('items')
    .set({ status, before: status, annotator: by.name, window: null, lease_until: null, edit, why, reason })
    .where('id', '=', item.id)
    .execute()
  await trx
    .insertInto('acts')
    .values({
      item: item.id,
      annotator: by.name,
      act,
      edit,
      seconds,
      at: new Date().toISOString(),
      before: item.before,
      previous: item.edit,
      previous_why: item.why,
      previous_reason: item.reason,
      undone: 0,
    })
    .execute()
}

async function retire(trx: Transaction<Tables>, edit: string | null): Promise<void> {
  if (edit) await setCurrent(trx, edit, 0)
}

async function setCurrent(trx: Transaction<Tables>, edit: string, current: 0 | 1): Promise<void> {
  await trx
    .updateTable('edits')
    .set({ current })
    .where('n', '=', rowOf('edits', sql.val(edit)))
    .execute()
}
