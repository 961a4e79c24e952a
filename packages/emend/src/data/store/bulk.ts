/** Many entries at once: prepared statements, large transactions; what is there already is left as it is. */

import { type InsertQueryBuilder, sql } from 'kysely'
import type { BulkBatch, TableRow } from './bulk-rows.js'
import type { OpenDatabase } from './database.js'
import { sameId, storeId } from './identity.js'
import type { Tables } from './schema.js'
import type { TextDatabase, TextStatement } from './texts.js'

/** What became of the rows of a batch. */
export interface BulkCounts {
  readonly added: number
  readonly known: number
}

/** Prompts that one statement inserts: nobody asks which of them were new. */
const SEVERAL = 20

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
  write({ prompts, annotators, tables, rows }: BulkBatch): BulkCounts {
    const { prompt, prompts: several, annotator } = this.#statements.insert
    let added = 0
    this.#begin()
    try {
      let done = 0
      for (; done + SEVERAL <= prompts.length; done += SEVERAL) several.run(prompts.slice(done, done + SEVERAL).flat())
      for (const row of prompts.slice(done)) prompt.run(row)
      for (const row of annotators) annotator.run(row)
      for (let i = 0; i < rows.length; i++) if (this.#writeOne(tables[i]!, rows[i]!)) added++
    } catch (error) {
      this.#end('rollback')
      throw error
    }
    this.#written += rows.length
    if (this.#written >= TRANSACTION.rows || performance.now() - this.#begun! > TRANSACTION.milliseconds) this.commit()
    return { added, known: rows.length - added }
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

  #writeOne(table: TableRow, row: BulkBatch['rows'][number]): boolean {
    const insert = this.#statements.insert[table]
    if (insert.run(row).changes > 0) return true
    // A record that stands twice in one file is two records; one that another import brought is known.
    const [id, line, ...values] = row
    const first = this.#statements.place[table].get([id]) as { import: number | null; line: number }
    if (first.import !== this.#import || first.line === line) return false
    const times = (this.#repeated.get(id) ?? 1) + 1
    this.#repeated.set(id, times)
    return insert.run([storeId(id, times), line, ...values]).changes > 0
  }
}

/** Every value to bind costs a third of a microsecond: what is the same for a whole import stands in the statement, and so does null. */
function statements({ db, raw }: OpenDatabase, importRow: number) {
  const first = { id: '', line: 0, prompt: '' }
  const preference = { ...first, first: '', second: '', preference: 0 }
  const edit = { ...first, draft: '', final: '' }
  const more = { ops: '', annotator: '', at: '', seconds: 0, reasons: '', sampled: '', preferred: '', extra: '' }
  const same = { import: sql.lit(importRow) }
  const current = { ...same, current: sql.lit(1) }
  const inserting = {
    plainEdit: db.insertInto('edits').values({ ...edit, ...current }),
    edit: db.insertInto('edits').values({ ...edit, ...more, ...current }),
    plainPreference: db.insertInto('preferences').values({ ...preference, ...same }),
    preference: db.insertInto('preferences').values({ ...preference, annotator: '', extra: '', ...same }),
    response: db.insertInto('responses').values({ ...first, response: '', generator: '', extra: '', ...same }),
    prompt: db.insertInto('prompts').values({ id: '', prompt: '' }),
    prompts: db.insertInto('prompts').values(Array.from({ length: SEVERAL }, () => ({ id: '', prompt: '' }))),
    annotator: db.insertInto('annotators').values({ id: '', kind: 'person', name: '', version: '' }),
  }
  const prepared = (name: keyof typeof inserting) => {
    const query = inserting[name] as InsertQueryBuilder<Tables, keyof Tables, unknown>
    return raw.prepare(query.onConflict(conflict => conflict.doNothing()).compile().sql)
  }
  const names = Object.keys(inserting) as (keyof typeof inserting)[]
  const placeIn = (table: 'edits' | 'preferences' | 'responses') =>
    raw.prepare(
      db
        .selectFrom(table)
        .select(['import', 'line'])
        .where(sameId(`${table}.id`, sql.val('')))
        .compile().sql,
    )
  const [edits, preferences] = [placeIn('edits'), placeIn('preferences')]
  return {
    insert: Object.fromEntries(names.map(name => [name, prepared(name)])) as Record<
      keyof typeof inserting,
      TextStatement
    >,
    place: {
      ...{ edit: edits, plainEdit: edits, preference: preferences, plainPreference: preferences },
      response: placeIn('responses'),
    } satisfies Record<TableRow, TextStatement>,
  }
}
