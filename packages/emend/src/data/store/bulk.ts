/** Many entries at once: prepared statements, large transactions; what is there already is left as it is. */

import { type InsertObject, sql } from 'kysely'
import type { BulkBatch, Stretch, TableRow, Value } from './bulk-rows.js'
import type { OpenDatabase } from './database.js'
import { sameId, storeId } from './identity.js'
import type { Tables } from './schema.js'
import type { TextDatabase } from './texts.js'

/** What became of the rows of a batch. */
export interface BulkCounts {
  readonly added: number
  readonly known: number
}

/** Rows that one statement inserts: to run it takes longer than to bind a row. */
const TOGETHER = 10

/** What a transaction may grow to. */
const TRANSACTION = { rows: 50_000, milliseconds: 1000 }

/** Writes the entries of one import. */
export class BulkWriter {
  readonly #raw: TextDatabase
  readonly #import: number
  readonly #statements: ReturnType<typeof statements>
  /** Records that stand several times in this file, and how often so far. */
  readonly #repeated = new Map<string, number>()
  /** When the open transaction began, and how many rows it has. */
  #begun: number | undefined
  #written = 0
  /** Whether the last rows were all new, as the next ones then are. */
  #new = true

  /** @param importRow `imports.n` */
  constructor(database: OpenDatabase, importRow: number) {
    this.#raw = database.raw
    this.#import = importRow
    this.#statements = statements(database, importRow)
    // Ids lie all over their index: it is kept at hand, within bounds, and written back to the file not too often.
    this.#raw.exec('PRAGMA cache_size = -49152; PRAGMA wal_autocheckpoint = 25000')
  }

  /**
   * Writes a batch. Several of them are one transaction: every one writes to pages all over the index of ids. It ends when it has
   * grown large, or has kept others waiting for a second; or with {@link commit}.
   */
  write({ prompts, annotators, stretches }: BulkBatch): BulkCounts {
    let rows = 0
    let added = 0
    this.#begin()
    try {
      this.#writePrompts(prompts)
      for (const row of annotators) this.#statements.annotator.run(row)
      for (const stretch of stretches) {
        rows += stretch.values.length / stretch.width
        added += this.#writeStretch(stretch)
      }
    } catch (error) {
      this.#end('rollback')
      throw error
    }
    this.#written += rows
    if (this.#written >= TRANSACTION.rows || performance.now() - this.#begun! > TRANSACTION.milliseconds) this.commit()
    return { added, known: rows - added }
  }

  /** Ends the transaction, if one is open: what was written is stored. */
  commit(): void {
    this.#end('commit')
  }

  /** Takes back what was written since the last commit, if anything. */
  rollback(): void {
    this.#end('rollback')
  }

  #begin(): void {
    if (this.#begun !== undefined) return
    // An import that a power cut takes back is done again; only what people submit is synced one by one.
    this.#raw.exec('PRAGMA synchronous = NORMAL')
    this.#raw.exec('begin immediate')
    this.#begun = performance.now()
    this.#written = 0
  }

  #end(how: 'commit' | 'rollback'): void {
    if (this.#begun === undefined) return
    this.#begun = undefined
    try {
      this.#raw.exec(how)
    } finally {
      this.#raw.exec('PRAGMA synchronous = FULL')
    }
  }

  /** Nobody asks which of them were new. */
  #writePrompts(prompts: readonly string[]): void {
    const { one, several } = this.#statements.prompt
    let at = 0
    for (; at + 2 * TOGETHER <= prompts.length; at += 2 * TOGETHER) several.run(prompts.slice(at, at + 2 * TOGETHER))
    for (; at < prompts.length; at += 2) one.run(prompts.slice(at, at + 2))
  }

  /** How many were new. Several at once as long as all of them are; else one by one, since rows are kept in their order. */
  #writeStretch({ table, width, values }: Stretch): number {
    const { several, takeBack } = this.#statements[table]
    let added = 0
    for (let at = 0; at < values.length; ) {
      const group = values.slice(at, at + TOGETHER * width)
      at += group.length
      const { changes, lastInsertRowid } =
        this.#new && group.length === TOGETHER * width ? several.run(group) : { changes: 0, lastInsertRowid: 0 }
      added += changes
      if (changes === TOGETHER) continue
      if (changes > 0) takeBack.run([Number(lastInsertRowid) - changes])
      added -= changes
      this.#new = true
      for (let i = 0; i < group.length; i += width)
        if (this.#writeOne(table, group.slice(i, i + width) as RowValues)) added++
        else this.#new = false
    }
    return added
  }

  #writeOne(table: TableRow, row: RowValues): boolean {
    const { one, place } = this.#statements[table]
    if (one.run(row).changes > 0) return true
    // A record that stands twice in one file is two records; one that another import brought is known.
    const [id, line, ...values] = row
    const first = place.get([id]) as { import: number | null; line: number }
    if (first.import !== this.#import || first.line === line) return false
    const times = (this.#repeated.get(id) ?? 1) + 1
    this.#repeated.set(id, times)
    return one.run([storeId(id, times), line, ...values]).changes > 0
  }
}

type RowValues = [id: string, line: number, ...Value[]]

/** Every value to bind costs a third of a microsecond: what is the same for a whole import stands in the statement, and so does null. */
function statements({ db, raw }: OpenDatabase, importRow: number) {
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
  const rowsOf = <T extends 'edits' | 'preferences' | 'responses'>(table: T, row: InsertObject<Tables, T>) => ({
    one: insert(table, row),
    several: insert(table, row, TOGETHER),
    /** The import and line of the row of an id. */
    place: raw.prepare(
      db
        .selectFrom<'edits' | 'preferences' | 'responses'>(table)
        .select(['import', 'line'])
        .where(sameId(`${table}.id`, sql.val('')))
        .compile().sql,
    ),
    /** Rows after this one. */
    takeBack: raw.prepare(db.deleteFrom<'edits' | 'preferences' | 'responses'>(table).where('n', '>', 0).compile().sql),
  })
  const prompt = { id: '', prompt: '' }
  return {
    plainEdit: rowsOf('edits', { ...edit, ...current }),
    edit: rowsOf('edits', { ...edit, ...more, ...current }),
    plainPreference: rowsOf('preferences', { ...preference, ...same }),
    preference: rowsOf('preferences', { ...preference, annotator: '', extra: '', ...same }),
    response: rowsOf('responses', { ...first, response: '', generator: '', extra: '', ...same }),
    prompt: { one: insert('prompts', prompt), several: insert('prompts', prompt, TOGETHER) },
    annotator: insert('annotators', { id: '', kind: 'person', name: '', version: '' }),
  }
}
