/** A file of any format → a store: streamed, idempotent, nothing set aside unsaid. */

import { createHash } from 'node:crypto'
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs'
import { basename } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { DataError, EmendError, Interrupted } from '../../errors.js'
import { asRecord, type SourceRecord } from '../fields.js'
import { BulkWriter } from '../store/bulk.js'
import { BulkRows, type Placed } from '../store/bulk-rows.js'
import { storeId } from '../store/identity.js'
import type { NewItem } from '../store/items.js'
import type { Redact } from '../store/redact.js'
import type { Store } from '../store/store.js'
import { openRows, type Row, type Shape } from './containers/container.js'
import { detectFormat, LOOKED_AT } from './detect.js'
import type { Entry } from './entry.js'
import type { Columns, Format } from './format.js'
import { checkColumns, formatOf, formatWithColumns } from './index.js'

/** How a file is imported. */
export interface ImportOptions {
  /** Default: detected. */
  readonly format?: string
  /** What its columns are called. */
  readonly columns?: Columns
  /** A bad record stops the import (the default), or is set aside in the rejects file. */
  readonly onBad?: 'stop' | 'reject'
  /** Default: the file's name with `.rejects.jsonl`. Made only if there is something to put in. */
  readonly rejects?: string
  /** Whether they are added to those that stand there; default false: the file begins anew. */
  readonly addRejects?: boolean
  /** Applied to each record before anything is stored. */
  readonly redact?: Redact
  /** Whether responses, drafts and rejected responses are put into the annotation queue; default false. */
  readonly queue?: boolean
  readonly signal?: AbortSignal
  /** Told every thousand records how many have been read, and which share of the file, 0 to 1. */
  readonly onProgress?: (read: number, share: number) => void
}

/** What became of the records: read = stored (one or several entries each) + rejected + set aside. */
export interface ImportReport {
  readonly file: string
  readonly format: string
  read: number
  /** Entries that are new. */
  added: number
  /** Entries that were there already. */
  known: number
  rejected: number
  /** By reason: records that hold nothing to store. */
  setAside: Record<string, number>
  /** Lone surrogates replaced by U+FFFD. */
  repaired: number
  /** Numbers of JSON that are more than a number holds: kept as text, with all their digits. */
  asText: number
  /** Items that are new in the queue. */
  queued: number
}

/** What `imports.container` holds: how the file is written again. */
export interface ImportedAs {
  readonly shape: Shape
  readonly columns?: Columns
}

/** Records after which progress is told, and asked whether to stop. */
const PACE = 1000

/** Entries written at once: so few that they are garbage before they are old, and memory stays flat. */
const BATCH = { entries: 3000, characters: 1 << 22 }

/**
 * Imports a file. Importing it again, or again after it was cut short, changes nothing; a record that stands twice in a file is
 * stored twice.
 * @throws DataError naming file, line and field at the first bad record, unless they are to be rejected; what was read before it is
 *   stored
 */
export async function importFile(store: Store, file: string, options: ImportOptions = {}): Promise<ImportReport> {
  const { onBad = 'stop', redact, columns, signal } = options
  let share = 0
  const { shape, rows } = await openRows(file, now => {
    share = now
  })
  const iterator = rows[Symbol.asyncIterator]()
  const first = await taken(iterator, LOOKED_AT)
  const named = options.format ? formatOf(options.format) : columns && formatWithColumns(columns)
  const format = named ?? detectFormat(first, file)
  if (!format.read) throw new DataError(`${format.name} is only written, not read`, { file })
  if (columns) refuseMissing(columns, format, shape, first, file)
  const writer = new BulkWriter(
    store.database,
    await importRow(store, file, format, { shape, ...(columns && { columns }) }),
  )
  const report: ImportReport = {
    ...{
      file,
      format: format.name,
      read: 0,
      added: 0,
      known: 0,
      rejected: 0,
      setAside: {},
      repaired: 0,
      asText: 0,
      queued: 0,
    },
  }
  const rejects = new Rejects(options.rejects ?? `${file}.rejects.jsonl`, options.addRejects ? 'a' : 'w')
  const batch = new BulkRows()
  const items: NewItem[] = []
  let characters = 0
  const flush = async () => {
    writer.write(batch.take())
    characters = 0
    // Items are added in a transaction of their own.
    if (items.length === 0) return
    writer.commit()
    report.queued += (await store.addItems(items.splice(0))).added
  }
  const finish = async () => {
    await flush()
    writer.commit()
    report.added = writer.added
    report.known = writer.known
  }
  const take = (row: Row) => {
    report.read++
    let value: unknown
    try {
      if ('error' in row) throw row.error
      report.asText += row.asText ?? 0
      const record = asRecord(row.value, file, row.line)
      const fields = mended(redact ? redacted(redact, record, format) : record.fields, report)
      value = fields
      const read = fields
        ? format.read!(fields === record.fields ? record : { ...record, fields }, options)
        : 'redacted'
      if (typeof read === 'string') report.setAside[read] = (report.setAside[read] ?? 0) + 1
      else
        for (const placed of placedOf(format, read, row.line, fields!, options)) {
          batch.add(placed)
          characters += sizeOf(placed.entry)
          if (options.queue) items.push(...itemsOf(placed.entry))
        }
    } catch (error) {
      if (onBad === 'stop' || !(error instanceof DataError)) throw error
      report.rejected++
      rejects.add({ file, line: row.line, error: error.message, ...(value !== undefined && { record: value }) })
    }
  }
  try {
    for (;;) {
      const next = report.read < first.length ? { value: first[report.read]! } : await iterator.next()
      if (next.done) break
      take(next.value)
      if (batch.length >= BATCH.entries || characters > BATCH.characters) await flush()
      if (report.read % PACE > 0) continue
      options.onProgress?.(report.read, share)
      if (!signal?.aborted) continue
      await finish()
      throw new Interrupted('stopped; what was read is stored, run the same command to go on')
    }
    await finish()
  } catch (error) {
    if (error instanceof DataError) await finish()
    throw error
  } finally {
    writer.rollback()
    rejects.close()
    await iterator.return?.()
  }
  return report
}

/** A redaction that fails ends the import, whatever becomes of bad records: nobody can say what it would have taken out. */
function redacted(redact: Redact, { file, line, fields }: SourceRecord, format: Format) {
  try {
    const left = redact(fields)
    return left && format.redacted ? format.redacted(left, fields) : left
  } catch (cause) {
    throw new EmendError(`${file}:${line}: the redaction failed: ${(cause as Error).message}`, { cause })
  }
}

/**
 * A table has all of its columns in every record: one that is named and not there is mistyped, and what it holds would be left out.
 * @throws UsageError for a name that the format does not have; DataError for a column that the table does not have
 */
function refuseMissing(columns: Columns, format: Format, { container }: Shape, first: readonly Row[], file: string) {
  checkColumns(columns, format)
  if (container !== 'csv' && container !== 'parquet') return
  const record = first.find(row => 'value' in row)
  if (!record) return
  const has = Object.keys(record.value as object)
  const missing = Object.values(columns).find(column => !has.includes(column))
  if (missing !== undefined)
    throw new DataError(`no column ${JSON.stringify(missing)}, which --columns names; there are ${has.join(', ')}`, {
      file,
    })
}

/** The first rows, at most so many. */
async function taken(rows: AsyncIterator<Row>, count: number): Promise<Row[]> {
  const first: Row[] = []
  while (first.length < count) {
    const next = await rows.next()
    if (next.done) break
    first.push(next.value)
  }
  return first
}

/** The row of this import: the same bytes read in the same way are the same import, whatever the file is called. */
async function importRow(store: Store, file: string, format: Format, as: ImportedAs): Promise<number> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  const id = storeId('import', hash.digest('hex'), format.name, as.columns)
  const { db } = store.database
  await db
    .insertInto('imports')
    .values({
      id,
      file: basename(file),
      format: format.name,
      container: JSON.stringify(as),
      at: new Date().toISOString(),
    })
    .onConflict(conflict => conflict.doNothing())
    .execute()
  return (await db.selectFrom('imports').select('n').where('id', '=', id).executeTakeFirstOrThrow()).n
}

/** Lone surrogates cannot live in UTF-8. */
function mended(fields: Readonly<Record<string, unknown>> | undefined, report: ImportReport) {
  if (!fields || wellFormed(fields)) return fields
  return mend(fields, report) as Readonly<Record<string, unknown>>
}

function wellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  for (const key in value) if (!wellFormed((value as Record<string, unknown>)[key])) return false
  return true
}

function mend(value: unknown, report: ImportReport): unknown {
  if (typeof value === 'string') {
    report.repaired += value.match(/\p{Surrogate}/gu)?.length ?? 0
    return value.toWellFormed()
  }
  if (Array.isArray(value)) return value.map(inner => mend(inner, report))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.toWellFormed(), mend(inner, report)]))
}

/** Entries with their place; and with the record itself where the format would write another one. */
function placedOf(
  format: Format,
  read: Entry | readonly Entry[],
  line: number,
  fields: Readonly<Record<string, unknown>>,
  options: ImportOptions,
): Placed[] {
  if (Array.isArray(read)) return (read as readonly Entry[]).map(entry => ({ entry, line }))
  const entry = read as Entry
  if (!format.write || sameFields(format.write(entry, options), fields)) return [{ entry, line }]
  return [{ entry, line, raw: fields }]
}

/** As `isDeepStrictEqual`, which takes longer where the values are texts. */
function sameFields(written: Readonly<Record<string, unknown>> | string, fields: Readonly<Record<string, unknown>>) {
  if (typeof written === 'string') return false
  const names = Object.keys(written)
  if (names.length !== Object.keys(fields).length) return false
  return names.every(
    name =>
      Object.hasOwn(fields, name) &&
      (written[name] === fields[name] ||
        (typeof fields[name] !== 'string' && isDeepStrictEqual(written[name], fields[name]))),
  )
}

function sizeOf(entry: Entry): number {
  if (entry.kind === 'edit') return entry.draft.length + entry.final.length
  return entry.kind === 'preference' ? entry.first.length + entry.second.length : (entry.response?.length ?? 0)
}

/** What there is to edit in an entry: a response, or the one that was not preferred with the one that was. */
function itemsOf(entry: Entry): NewItem[] {
  const { prompt } = entry
  if (entry.kind === 'edit') return []
  if (entry.kind === 'response') {
    const { response, rest } = entry
    const reasons = [rest?.['reasons'] ?? []].flat().filter(reason => typeof reason === 'string')
    return response === null ? [] : [{ prompt, response, ...(reasons.length > 0 && { reasons }) }]
  }
  const { first, second, preference } = entry
  if (!preference || preference === 1.5) return []
  const [preferred, response] = preference < 1.5 ? [first, second] : [second, first]
  return [{ prompt, response, preferred }]
}

/** The file of rejected records; there only if there are any. */
class Rejects {
  readonly #path: string
  readonly #how: 'a' | 'w'
  #file: number | undefined

  constructor(path: string, how: 'a' | 'w') {
    this.#path = path
    this.#how = how
  }

  add(reject: { file: string; line: number; error: string; record?: unknown }): void {
    try {
      this.#file ??= openSync(this.#path, this.#how)
      writeSync(this.#file, `${JSON.stringify(reject)}\n`)
    } catch (cause) {
      // No DataError, which would count as one more bad record.
      throw new EmendError(`${this.#path}: cannot be written: ${(cause as Error).message}`, { cause })
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
  }
}
