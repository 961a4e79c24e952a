/** Many entries at once: prepared statements, one transaction a batch; what is there already is left as it is. */

import type { Edit, Prompt } from '@emend/edits'
import { type InsertQueryBuilder, sql } from 'kysely'
import type Database from 'libsql'
import { editId } from '../formats/emend.js'
import type { Entry } from '../formats/entry.js'
import { annotatorId } from './annotators.js'
import type { OpenDatabase } from './database.js'
import { storeId } from './identity.js'
import { promptId } from './prompts.js'
import type { Tables } from './schema.js'

/** An entry and the place of its record in the file. */
export interface Placed {
  readonly entry: Entry
  readonly line: number
  /** The record itself, where its format would not write it again from the entry. */
  readonly raw?: unknown
}

/** Prompts that were seen last: they need no question whether they are there. */
const REMEMBERED = 10_000

/** Writes the entries of one import. */
export class BulkWriter {
  readonly #raw: Database.Database
  readonly #import: number
  readonly #statements: ReturnType<typeof statements>
  readonly #prompts = new Set<string>()
  readonly #annotators = new Set<string>()
  /** Records that stand several times in this file, and how often so far. */
  readonly #repeated = new Map<string, number>()

  /** @param importRow `imports.n` */
  constructor(database: OpenDatabase, importRow: number) {
    this.#raw = database.raw
    this.#import = importRow
    this.#statements = statements(database, importRow)
    // Ids lie all over their index: it is kept at hand, within bounds, and written back to the file not too often.
    this.#raw.exec('PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 25000')
  }

  /** Writes a batch: all of it, or nothing. */
  write(batch: readonly Placed[]): { added: number; known: number } {
    let added = 0
    // An import that a power cut takes back is done again; only what people submit is synced one by one.
    this.#raw.exec('PRAGMA synchronous = NORMAL')
    this.#raw.exec('begin immediate')
    try {
      for (const placed of batch) if (this.#writeOne(placed)) added++
      this.#raw.exec('commit')
    } catch (error) {
      this.#raw.exec('rollback')
      throw error
    } finally {
      this.#raw.exec('PRAGMA synchronous = FULL')
    }
    return { added, known: batch.length - added }
  }

  #writeOne({ entry, line, raw }: Placed): boolean {
    const id = entryId(entry, raw)
    const prompt = this.#prompt(entry.prompt)
    if (this.#insert(id, prompt, entry, line, raw)) return true
    // A record that stands twice in one file is two records; one that another import brought is known.
    const first = this.#statements.place[entry.kind].get([id]) as { import: number | null; line: number }
    if (first.import !== this.#import || first.line === line) return false
    const times = (this.#repeated.get(id) ?? 1) + 1
    this.#repeated.set(id, times)
    return this.#insert(storeId(id, times), prompt, entry, line, raw)
  }

  #insert(id: string, prompt: string, entry: Entry, line: number, raw: unknown): boolean {
    const { insert } = this.#statements
    const extra = extraOf(entry, raw)
    if (entry.kind === 'response')
      return insert.response.run([id, prompt, line, entry.response, entry.generator ?? null, extra]).changes > 0
    if (entry.kind === 'preference') {
      const { first, second, preference: value, by } = entry
      const row = [id, prompt, line, first, second, value]
      if (!by && extra === null) return insert.plainPreference.run(row).changes > 0
      return insert.preference.run([...row, this.#annotator(by), extra]).changes > 0
    }
    const { draft, final, ops, by, at, seconds, reasons, sampled, preferred } = entry
    const row = [id, prompt, line, draft, final]
    const more = ops || by || at || reasons || sampled || preferred !== undefined || seconds !== undefined
    if (!more && extra === null) return insert.plainEdit.run(row).changes > 0
    const how = [json(ops), this.#annotator(by), at ?? null, seconds ?? null, json(reasons), json(sampled)]
    return insert.edit.run([...row, ...how, preferred ?? null, extra]).changes > 0
  }

  #prompt(prompt: Prompt): string {
    const id = promptId(prompt)
    if (this.#prompts.has(id)) return id
    this.#statements.insert.prompt.run([id, JSON.stringify(prompt)])
    if (this.#prompts.size === REMEMBERED) this.#prompts.clear()
    this.#prompts.add(id)
    return id
  }

  #annotator(by: Edit['by'] | undefined): string | null {
    if (!by) return null
    const id = annotatorId(by)
    if (!this.#annotators.has(id)) this.#statements.insert.annotator.run([id, by.kind, by.name, by.version ?? null])
    this.#annotators.add(id)
    return id
  }
}

/** Identity by content; fields that the format does not know are content too. */
function entryId(entry: Entry, raw: unknown): string {
  const { kind, prompt, rest } = entry
  const id =
    kind === 'edit'
      ? editId(entry)
      : kind === 'preference'
        ? storeId(kind, prompt, entry.first, entry.second, entry.preference, entry.by)
        : storeId(kind, prompt, entry.response, entry.generator)
  return rest || raw !== undefined ? storeId(id, rest, raw) : id
}

const json = (value: unknown) => (value === undefined ? null : JSON.stringify(value))

function extraOf({ rest, form }: Entry, raw: unknown): string | null {
  return rest || form || raw !== undefined ? JSON.stringify({ rest, form, raw }) : null
}

/** Every value to bind costs a third of a microsecond: what is the same for a whole import stands in the statement, and so does null. */
function statements({ db, raw }: OpenDatabase, importRow: number) {
  const columns = { id: '', prompt: '', line: 0 }
  const preference = { ...columns, first: '', second: '', preference: 0 }
  const edit = { ...columns, draft: '', final: '' }
  const more = { ops: '', annotator: '', at: '', seconds: 0, reasons: '', sampled: '', preferred: '', extra: '' }
  const same = { import: sql.lit(importRow) }
  const current = { ...same, current: sql.lit(1) }
  const inserting = {
    plainEdit: db.insertInto('edits').values({ ...edit, ...current }),
    edit: db.insertInto('edits').values({ ...edit, ...more, ...current }),
    plainPreference: db.insertInto('preferences').values({ ...preference, ...same }),
    preference: db.insertInto('preferences').values({ ...preference, annotator: '', extra: '', ...same }),
    response: db.insertInto('responses').values({ ...columns, response: '', generator: '', extra: '', ...same }),
    prompt: db.insertInto('prompts').values({ id: '', prompt: '' }),
    annotator: db.insertInto('annotators').values({ id: '', kind: 'person', name: '', version: '' }),
  }
  const prepared = (name: keyof typeof inserting) => {
    const query = inserting[name] as InsertQueryBuilder<Tables, keyof Tables, unknown>
    return raw.prepare(query.onConflict(conflict => conflict.doNothing()).compile().sql)
  }
  const placeIn = (table: 'edits' | 'preferences' | 'responses') =>
    raw.prepare(db.selectFrom(table).select(['import', 'line']).where('id', '=', '').compile().sql)
  const names = Object.keys(inserting) as (keyof typeof inserting)[]
  return {
    insert: Object.fromEntries(names.map(name => [name, prepared(name)])) as Record<
      keyof typeof inserting,
      Database.Statement
    >,
    place: { edit: placeIn('edits'), preference: placeIn('preferences'), response: placeIn('responses') },
  }
}
