/** Many entries at once: prepared statements, large transactions; what is there already is left as it is. */

import { type InsertObject, sql } from 'kysely'
import type { BulkBatch, Stretch, TableRow, Value } from './bulk-rows.js'
import { keyOf, keysOf, LARGE, type LargeTable, rowOf } from './by-id.js'
import type { OpenDatabase } from './database.js'
import { storeId } from './identity.js'
import type { Tables } from './schema.js'
import type { TextDatabase } from './texts.js'

/** Rows that one statement inserts: to run it takes longer than to bind a row. */
const TOGETHER = 10

/** What a transaction may grow to. */
const TRANSACTION = { rows: 50_000, milliseconds: 1000 }

type EntryTable = Exclude<LargeTable, 'prompts'>

/** Writes the entries of one import. */
export class BulkWriter {
  /** Entries that were new, of those that are stored. */
  added = 0
  /** Entries that were there already. */
  known = 0
  readonly #raw: TextDatabase
  readonly #rows: ReturnType<typeof rowStatements>
  readonly #byId: ReturnType<typeof keyStatements>
  /** Records that stand several times in this file, and how often so far. */
  readonly #repeated = new Map<string, number>()
  /** The open transaction. */
  #open: { readonly begun: number; readonly last: Record<LargeTable, number>; entries: number } | undefined

  /** @param importRow `imports.n` */
  constructor(database: OpenDatabase, importRow: number) {
    this.#raw = database.raw
    this.#rows = rowStatements(database, importRow)
    this.#byId = keyStatements(database, importRow)
    // Keys lie all over their table: it is kept at hand, within bounds, and written back to the file not too often.
    this.#raw.exec('PRAGMA cache_size = -49152; PRAGMA wal_autocheckpoint = 25000')
  }

  /**
   * Writes a batch. Several of them are one transaction: every one writes to pages all over the tables of keys. It ends when it has
   * grown large, or has kept others waiting for a second; or with {@link commit}.
   */
  write({ prompts, annotators, stretches }: BulkBatch): void {
    const open = this.#begin()
    try {
      let written = 0
      for (const stretch of stretches) {
        open.entries += stretch.values.length / stretch.width
        written += this.#writeEntries(stretch)
      }
      // Where all entries are there, so is what they refer to.
      if (written > 0) this.#writePrompts(prompts)
      if (written > 0) for (const row of annotators) this.#rows.annotator.run(row)
    } catch (error) {
      this.rollback()
      throw error
    }
    if (open.entries >= TRANSACTION.rows || performance.now() - open.begun > TRANSACTION.milliseconds) this.commit()
  }

  /** Ends the transaction, if one is open: what was written is stored, and counted. */
  commit(): void {
    const open = this.#open
    if (!open) return
    let added = 0
    try {
      for (const table of LARGE) added += this.#fillKeys(table, open.last[table])
    } catch (error) {
      this.rollback()
      throw error
    }
    this.#end('commit')
    this.added += added
    this.known += open.entries - added
  }

  /** Takes back what was written since the last commit, if anything. */
  rollback(): void {
    if (this.#open) this.#end('rollback')
  }

  #begin() {
    if (this.#open) return this.#open
    // An import that a power cut takes back is done again; only what people submit is synced one by one.
    this.#raw.exec('PRAGMA synchronous = NORMAL')
    this.#raw.exec('begin immediate')
    const last = LARGE.map(table => [table, (this.#byId[table].last.get([]) as { n: number }).n] as const)
    this.#open = { begun: performance.now(), last: Object.fromEntries(last) as Record<LargeTable, number>, entries: 0 }
    return this.#open
  }

  #end(how: 'commit' | 'rollback'): void {
    this.#open = undefined
    try {
      this.#raw.exec(how)
    } finally {
      this.#raw.exec('PRAGMA synchronous = FULL')
    }
  }

  #writePrompts(prompts: readonly string[]): void {
    const { find } = this.#byId.prompts
    this.#writeRows(this.#rows.prompt, prompts, 2, ([id]) => find.get([id]) !== undefined)
  }

  #writeEntries({ table, width, values }: Stretch): number {
    const statements = this.#rows[table]
    const { find } = this.#byId[statements.table]
    return this.#writeRows(statements, values, width, ([id, line]) => {
      const there = find.get([id]) as { ours: 0 | 1; line: number | null } | undefined
      return there !== undefined && (there.ours === 0 || there.line === line)
    })
  }

  /**
   * Those that are there are passed over only where most are; elsewhere the end of the transaction tells, at less cost.
   * @returns how many were written
   */
  #writeRows(
    { one, several }: RowStatements,
    values: readonly Value[],
    width: number,
    known: (row: readonly Value[]) => boolean,
  ): number {
    const rows = values.length / width
    const row = (i: number) => values.slice(i * width, (i + 1) * width)
    const step = Math.max(1, Math.floor(rows / TOGETHER))
    let looked = 0
    let found = 0
    for (let i = 0; i < rows; i += step, looked++) if (known(row(i))) found++
    if (2 * found > looked) {
      let written = 0
      for (let i = 0; i < rows; i++) if (!known(row(i))) written += one.run(row(i)).changes
      return written
    }
    let i = 0
    for (; i + TOGETHER <= rows; i += TOGETHER) several.run(values.slice(i * width, (i + TOGETHER) * width))
    for (; i < rows; i++) one.run(row(i))
    return rows
  }

  /** Puts the rows after `last` into the table of keys; rows of ids that were there go. @returns how many entries were new */
  #fillKeys(table: LargeTable, last: number): number {
    const { count, fill, dropKnown, clashing } = this.#byId[table]
    const { n: rows } = count.get([last]) as { n: number }
    if (rows === 0) return 0
    const fresh = fill.run([last]).changes
    if (fresh < rows) dropKnown.run([last])
    if (table === 'prompts') return 0
    let added = fresh
    // A record that stands twice in one file is two records; one that another import brought is known.
    if (fresh < rows)
      for (const { n, id } of clashing.all([last]) as { n: number; id: string }[])
        if (this.#repeat(table, n, id)) added++
    return added
  }

  /** Gives a row whose id another has the next one of its content. @returns whether it is new: an import before may have brought it */
  #repeat(table: EntryTable, n: number, id: string): boolean {
    const { addKey, rename, remove } = this.#byId[table]
    const times = (this.#repeated.get(id) ?? 1) + 1
    this.#repeated.set(id, times)
    const another = storeId(id, times)
    const added = addKey.run([another, n]).changes > 0
    if (added) rename.run([another, n])
    else remove.run([n])
    return added
  }
}

type RowStatements = Pick<ReturnType<typeof rowStatements>['prompt'], 'one' | 'several'>

/** Every value to bind costs a third of a microsecond: what is the same for a whole import stands in the statement, and so does null. */
function rowStatements({ db, raw }: OpenDatabase, importRow: number) {
  const first = { id: '', line: 0, prompt: '' }
  const preference = { ...first, first: '', second: '', preference: 0 }
  const edit = { ...first, draft: '', final: '' }
  const more = { ops: '', annotator: '', at: '', seconds: 0, reasons: '', sampled: '', preferred: '', extra: '' }
  const same = { import: sql.lit(importRow) }
  const current = { ...same, current: sql.lit(1) }
  const insert = <T extends keyof Tables>(table: T, row: InsertObject<Tables, T>, rows = 1) =>
    raw.prepare(
      db
        .insertInto(table)
        .values(Array.from({ length: rows }, () => row))
        .onConflict(conflict => conflict.doNothing())
        .compile().sql,
    )
  const rowsOf = <T extends LargeTable>(table: T, row: InsertObject<Tables, T>) => ({
    table,
    one: insert(table, row),
    several: insert(table, row, TOGETHER),
  })
  return {
    plainEdit: rowsOf('edits', { ...edit, ...current }),
    edit: rowsOf('edits', { ...edit, ...more, ...current }),
    plainPreference: rowsOf('preferences', { ...preference, ...same }),
    preference: rowsOf('preferences', { ...preference, annotator: '', extra: '', ...same }),
    response: rowsOf('responses', { ...first, response: '', generator: '', extra: '', ...same }),
    prompt: rowsOf('prompts', { id: '', prompt: '' }),
    annotator: insert('annotators', { id: '', kind: 'person', name: '', version: '' }),
  } satisfies Record<TableRow | 'prompt' | 'annotator', unknown>
}

/** Parameters are the `n` before the rows, unless they say otherwise. */
function keyStatements({ db, raw }: OpenDatabase, importRow: number) {
  const of = (name: LargeTable) => {
    const [table, keys] = [sql.table(name), keysOf(name)]
    const prepare = (query: ReturnType<typeof sql>) => raw.prepare(query.compile(db).sql)
    const [id, parameter, ours] = [sql.ref<string>(`${name}.id`), sql.val(''), sql.lit(importRow)]
    const clashes = sql`${table}.n > ${parameter} and ${table}.n <> ${rowOf(name, id)}`
    const prompts = name === 'prompts'
    const known = prompts
      ? sql`true`
      : sql`exists (select 1 from ${table} as first where first.n = ${rowOf(name, id)}
          and (first.import is not ${ours} or first.line = ${table}.line))`
    const place = prompts ? sql`n` : sql`import is ${ours} as ours, line`
    return {
      last: prepare(sql`select coalesce(max(n), 0) as n from ${table}`),
      count: prepare(sql`select count(*) as n from ${table} where n > ${parameter}`),
      /** The first row of an id, in the order they came, is the one that is found by it. */
      fill: prepare(
        sql`insert into ${keys} select ${keyOf(id)}, n from ${table} where n > ${parameter} order by 1, 2 on conflict do nothing`,
      ),
      dropKnown: prepare(sql`delete from ${table} where ${clashes} and ${known}`),
      clashing: prepare(sql`select n, id from ${table} where ${clashes} order by n`),
      /** Where the row of an id came from. @param id */
      find: prepare(sql`select ${place} from ${table} where n = ${rowOf(name, sql.val(''))}`),
      /** @param id @param n */
      addKey: prepare(sql`insert into ${keys} values (${keyOf(sql.val(''))}, ${parameter}) on conflict do nothing`),
      /** @param id @param n */
      rename: prepare(sql`update ${table} set id = ${parameter} where n = ${parameter}`),
      /** @param n */
      remove: prepare(sql`delete from ${table} where n = ${parameter}`),
    }
  }
  return Object.fromEntries(LARGE.map(name => [name, of(name)])) as Record<LargeTable, ReturnType<typeof of>>
}
