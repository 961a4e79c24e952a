/**
 * Rows of the large tables by their ids. Beside each stands a table of keys, which an import fills in the order of the keys at the
 * end of a transaction: ids lie anywhere, and an index of SQLite's own, to which every row writes as it comes, takes longer than all
 * else together once it has outgrown the processor's caches.
 */

import { type Expression, type InsertObject, type JoinBuilder, type RawBuilder, sql, type Transaction } from 'kysely'
import type { Tables } from './schema.js'

/** Tables with a table of keys beside them. */
export const LARGE = ['prompts', 'responses', 'preferences', 'edits'] as const
export type LargeTable = (typeof LARGE)[number]

/** The first 96 bits of an id: collisions are as unthinkable as with all of them, and the keys take half the room. */
export const keyOf = (id: Expression<string>): RawBuilder<unknown> => sql`unhex(substr(${id}, 1, 24))`

export const keysOf = (table: LargeTable): RawBuilder<unknown> => sql.table(`${table}_by_id`)

/** `n` of the row with this id; null where there is none. */
export const rowOf = (table: LargeTable, id: Expression<string>): RawBuilder<number> =>
  sql<number>`(select n from ${keysOf(table)} where key = ${keyOf(id)})`

/** Joins `prompts`: `innerJoin('prompts', promptOf('edits'))`. */
export const promptOf =
  (table: 'edits' | 'preferences' | 'responses' | 'items') =>
  <DB, TB extends keyof DB>(join: JoinBuilder<DB, TB>): JoinBuilder<DB, TB> =>
    join.on(sql.ref('prompts.n'), '=', rowOf('prompts', sql.ref(`${table}.prompt`)))

/** Inserts a row. @returns false where there is one with its id, which is left as it is */
export async function insertRow<T extends 'prompts' | 'edits'>(
  trx: Transaction<Tables>,
  table: T,
  row: InsertObject<Tables, T> & { readonly id: string },
): Promise<boolean> {
  const id = sql.val(row.id)
  const next = sql`coalesce(max(n), 0) + 1 from ${sql.table(table)} where true`
  const { numAffectedRows } =
    await sql`insert into ${keysOf(table)} select ${keyOf(id)}, ${next} on conflict do nothing`.execute(trx)
  if (numAffectedRows === 0n) return false
  await trx
    .insertInto(table)
    .values({ ...row, n: rowOf(table, id) })
    .execute()
  return true
}
