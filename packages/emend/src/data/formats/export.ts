/** A store → a file of any format; what the format cannot carry is counted and named. */

import type { Writable } from 'node:stream'
import { isDeepStrictEqual } from 'node:util'
import { EmendError, Interrupted, UsageError } from '../../errors.js'
import { countEntries, type StoredEntry, storedEntries } from '../store/entries.js'
import type { Store } from '../store/store.js'
import type { Container } from './containers/container.js'
import { containerOf, writeRows } from './containers/write.js'
import { type Entry, fieldsOf, held, type Kind } from './entry.js'
import type { Columns, Fields, Format, WriteOptions } from './format.js'
import type { ImportedAs } from './import.js'
import { checkColumns, formatOf } from './index.js'

/** How a store is exported. */
export interface ExportOptions extends WriteOptions {
  readonly format: string
  /** Only entries of this kind; default: all that the format can hold. */
  readonly kind?: Kind
  readonly signal?: AbortSignal
  readonly onProgress?: (written: number) => void
}

/** What became of the entries. */
export interface ExportReport {
  readonly format: string
  written: number
  /** By reason: entries that the format cannot hold. */
  leftOut: Record<string, number>
  /** By name: fields that entries held and the format does not. */
  dropped: Record<string, number>
}

/**
 * Exports a store. What one file brought, exported in that file's format, is written as it was: fields, order, columns of a CSV,
 * schema of a Parquet file.
 * @param out a file, whose name says its kind (`.jsonl`, `.json`, `.csv`, `.parquet`, text gzipped with `.gz`), or a stream
 */
export async function exportStore(store: Store, out: string | Writable, options: ExportOptions): Promise<ExportReport> {
  const format = formatOf(options.format)
  if (!format.write && !format.writeAll) throw new UsageError(`${format.name} is only read, not written`)
  if (options.columns) checkColumns(options.columns, format)
  const { db } = store.database
  const report: ExportReport = { format: format.name, written: 0, leftOut: {}, dropped: {} }
  const able = (Object.keys(fieldsOf) as Kind[]).filter(kind => format.carries[kind])
  const kinds = able.filter(kind => !options.kind || kind === options.kind)
  if (kinds.length === 0) throw new UsageError(`${format.name} holds ${able.join('s and ')}s, no ${options.kind}s`)
  const counts = await countEntries(db)
  if (!options.kind)
    for (const kind of Object.keys(counts) as Kind[])
      if (!able.includes(kind) && counts[kind] > 0) report.leftOut[`${format.name} holds no ${kind}s`] = counts[kind]

  const sources = await importsOf(store, kinds)
  const only = sources.length === 1 ? sources[0] : undefined
  const same = only?.format === format.name ? only : undefined
  const columns = options.columns ?? same?.as.columns
  const written: WriteOptions = { ...options, ...(columns && { columns }) }
  const container = (typeof out === 'string' && containerOf(out)) || same?.as.shape.container || format.container
  // With other names they are other columns.
  const again = same?.as.shape.container === container && sameColumns(columns, same.as.columns)
  const shape = again ? same.as.shape : { container: container as Container }

  const byRow = new Map((await allImports(store)).map(row => [row.n, row]))
  const entries = async function* () {
    for (const kind of kinds) yield* storedEntries(db, kind)
  }
  const records = format.writeAll
    ? format.writeAll(counted(entries(), format, report), written)
    : each(entries(), format, written, report, byRow)
  const checked = async function* () {
    for await (const record of records) {
      if (options.signal?.aborted) throw new Interrupted('stopped; nothing was written, run the same command again')
      if (typeof record === 'string') report.leftOut[record] = (report.leftOut[record] ?? 0) + 1
      else {
        report.written++
        if (report.written % 1000 === 0) options.onProgress?.(report.written)
        yield record
      }
    }
  }
  await writeRows(out, shape, checked())
  return report
}

interface Source {
  readonly n: number
  readonly format: string
  readonly as: ImportedAs
}

async function allImports(store: Store): Promise<Source[]> {
  const rows = await store.database.db.selectFrom('imports').select(['n', 'format', 'container']).execute()
  return rows.map(({ n, format, container }) => ({ n, format, as: JSON.parse(container) as ImportedAs }))
}

/** The imports that entries of these kinds came from; none where some were made here. */
async function importsOf(store: Store, kinds: readonly Kind[]): Promise<Source[]> {
  const tables = { edit: 'edits', preference: 'preferences', response: 'responses' } as const
  const found = new Set<number | null>()
  for (const kind of kinds) {
    const rows = await store.database.db.selectFrom(tables[kind]).select('import').distinct().execute()
    for (const row of rows) found.add(row.import)
  }
  return found.has(null) ? [] : (await allImports(store)).filter(source => found.has(source.n))
}

async function* each(
  entries: AsyncIterable<StoredEntry>,
  format: Format,
  options: WriteOptions,
  report: ExportReport,
  sources: ReadonlyMap<number, Source>,
): AsyncGenerator<Fields | string> {
  for await (const { id, entry, raw, import: from } of entries) {
    const source = from === null ? undefined : sources.get(from)
    if (raw && source?.format === format.name && sameColumns(source.as.columns, options.columns)) {
      yield raw
      continue
    }
    // What one format needs to write a record again means nothing to another.
    const same = source?.format === format.name
    const record = format.write!(same ? entry : without(entry), options)
    if (typeof record !== 'string') count(entry, format, report, same, options.columns)
    if (typeof record !== 'string' && Object.keys(record).length === 0)
      throw new EmendError(`${id}: nothing of it can be written as ${format.name}`)
    yield record
  }
}

const sameColumns = (a: Columns | undefined, b: Columns | undefined) => isDeepStrictEqual(a ?? {}, b ?? {})

/** An entry for another format: its unknown fields are that record's own affair. */
function without({ rest: _, form: __, ...entry }: Entry): Entry {
  return entry as Entry
}

async function* counted(
  entries: AsyncIterable<StoredEntry>,
  format: Format,
  report: ExportReport,
): AsyncGenerator<Entry> {
  for await (const { entry } of entries) {
    count(entry, format, report, false)
    yield entry
  }
}

/** Counts the fields of an entry that the format does not carry, or not by these names; of unknown fields it carries none but its own. */
function count(entry: Entry, format: Format, report: ExportReport, same: boolean, columns?: Columns): void {
  const unnamed = columns ? (format.named ?? []).filter(field => columns[field] === undefined) : []
  const carried = (format.carries[entry.kind] ?? []).filter(
    field => (same || field !== 'rest') && !unnamed.includes(field),
  )
  for (const { field, name } of held(entry))
    if (!carried.includes(field)) report.dropped[name] = (report.dropped[name] ?? 0) + 1
}
