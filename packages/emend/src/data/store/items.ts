/** Items of the annotation queue: put in, looked at, counted. */

import type { Edit, Prompt } from '@emend/edits'
import { type Kysely, type Selectable, sql } from 'kysely'
import { EmendError } from '../../errors.js'
import { promptOf } from './by-id.js'
import { storeId } from './identity.js'
import { insertPrompt } from './prompts.js'
import type { DiscardWhy, ItemStatus, ItemsTable, Tables } from './schema.js'

/** A response to put into the queue. */
export interface NewItem {
  readonly prompt: Prompt
  /** The draft that is to be edited. */
  readonly response: string
  /** A response that is known to be better, shown on demand. */
  readonly preferred?: string
  /** What is wrong with the response, where it is known. */
  readonly reasons?: readonly string[]
  /** Where it comes from, in words. */
  readonly source?: string
  /** The draft's tokens as they were generated. */
  readonly sampled?: Edit['sampled']
}

/** An item of the queue as annotators see it. */
export interface QueueItem extends NewItem {
  readonly id: string
  readonly status: ItemStatus
  /** Who holds it, or decided last. */
  readonly annotator?: string
  /** ISO 8601; while it is claimed. */
  readonly leaseUntil?: string
  /** What the asking annotator had typed when it was last saved. */
  readonly draft?: string
  /** ISO 8601; when that was. */
  readonly draftAt?: string
  /** Id of its current edit. */
  readonly edit?: string
  /** Why it was discarded. */
  readonly why?: DiscardWhy
  readonly reason?: string
}

/** An item's row with its prompt (JSON) and the draft of one annotator. */
export type ItemRow = Selectable<ItemsTable> & { promptJson: string; typed: string | null; typedAt: string | null }

/** Adds items; those with a prompt and response that are there already are known, and stay as they are. */
export async function addItems(
  db: Kysely<Tables>,
  items: Iterable<NewItem>,
): Promise<{ added: number; known: number }> {
  return await db.transaction().execute(async trx => {
    const counts = { added: 0, known: 0 }
    for (const { prompt, response, preferred, reasons, source, sampled } of items) {
      const row = {
        id: storeId('item', prompt, response),
        prompt: await insertPrompt(trx, prompt),
        response,
        preferred: preferred ?? null,
        reasons: reasons?.length ? JSON.stringify(reasons) : null,
        source: source ?? null,
        sampled: sampled ? JSON.stringify(sampled) : null,
        status: 'pending',
        before: 'pending',
      } as const
      const { numInsertedOrUpdatedRows } = await trx
        .insertInto('items')
        .values(row)
        .onConflict(conflict => conflict.doNothing())
        .executeTakeFirst()
      counts[numInsertedOrUpdatedRows ? 'added' : 'known']++
    }
    return counts
  })
}

/** A lease that has run out counts as over before anyone ends it. */
const status =
  () => sql<ItemStatus>`case when items.status = 'claimed' and lease_until < ${Date.now()} then items.before
  else items.status end`

function selectItems(db: Kysely<Tables>, annotator: string | null) {
  return db
    .selectFrom('items')
    .innerJoin('prompts', promptOf('items'))
    .leftJoin('drafts', join => join.onRef('drafts.item', '=', 'items.id').on('drafts.annotator', '=', annotator))
    .selectAll('items')
    .select([status().as('status'), 'prompts.prompt as promptJson', 'drafts.text as typed', 'drafts.at as typedAt'])
}

/** One item's row. @throws EmendError where there is none */
export async function readRow(db: Kysely<Tables>, id: string, annotator: string | null = null): Promise<ItemRow> {
  const row = await selectItems(db, annotator).where('items.id', '=', id).executeTakeFirst()
  if (!row) throw new EmendError(`item ${id}: not in the store; it may be another store's`)
  return row
}

/** The item of a row. */
export function itemOf(row: ItemRow): QueueItem {
  const { id, response, preferred, reasons, source, sampled, annotator, lease_until, typed, edit, why, reason } = row
  const claimed = row.status === 'claimed'
  return {
    id,
    prompt: JSON.parse(row.promptJson) as Prompt,
    response,
    ...(preferred !== null && { preferred }),
    ...(reasons !== null && { reasons: JSON.parse(reasons) as string[] }),
    ...(source !== null && { source }),
    ...(sampled && { sampled: JSON.parse(sampled) as NewItem['sampled'] }),
    status: row.status,
    ...(annotator !== null && row.status !== 'pending' && { annotator }),
    ...(claimed && lease_until !== null && { leaseUntil: new Date(lease_until).toISOString() }),
    ...(typed !== null && { draft: typed }),
    ...(row.typedAt !== null && { draftAt: row.typedAt }),
    ...(edit && { edit }),
    ...(why && { why }),
    ...(reason !== null && { reason }),
  }
}

/** Which items `listItems` gives. */
export interface ListOptions {
  /** Default: all. */
  readonly status?: ItemStatus
  /** From 0; default 0. */
  readonly page?: number
  /** Items a page; default 50. */
  readonly size?: number
  /** Whose saved drafts to show. */
  readonly annotator?: string
}

/** A page of items in the order they were added, and how many there are in all. */
export async function listItems(
  db: Kysely<Tables>,
  { status: only, page = 0, size = 50, annotator }: ListOptions = {},
): Promise<{ items: QueueItem[]; total: number }> {
  const rows = await selectItems(db, annotator ?? null)
    .$if(only !== undefined, query => query.where(status(), '=', only!))
    .orderBy('items.n')
    .limit(size)
    .offset(page * size)
    .execute()
  const counts = await countItems(db)
  const total = only ? counts[only] : Object.values(counts).reduce((sum, n) => sum + n, 0)
  return { items: rows.map(itemOf), total }
}

/** How many items stand where. */
export async function countItems(db: Kysely<Tables>): Promise<Record<ItemStatus, number>> {
  const rows = await db
    .selectFrom('items')
    .select([status().as('status'), db.fn.countAll<number>().as('n')])
    .groupBy(status())
    .execute()
  const counts = { pending: 0, claimed: 0, done: 0, discarded: 0, skipped: 0 }
  for (const row of rows) counts[row.status] = row.n
  return counts
}
