/** Parquet, a row group at a time; written with the schema it came with, or one inferred from the first records. */

import {
  asyncBufferFromFile,
  type FileMetaData,
  type KeyValue,
  parquetMetadataAsync,
  parquetReadObjects,
  type SchemaElement,
} from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { fileWriter, parquetWriteRows } from 'hyparquet-writer'
import { DataError, EmendError } from '../../../errors.js'
import { described } from '../../jsonl.js'
import type { OnShare } from '../../lines.js'
import type { Opened, Row } from './container.js'
import { columnsOf, type Node, parsers, plain, readableSchema, typed, writableSchema } from './parquet-values.js'

type File = Awaited<ReturnType<typeof asyncBufferFromFile>>

/** Opens a Parquet file. @throws DataError where it is damaged */
export async function openParquet(path: string, onShare?: OnShare): Promise<Opened> {
  const file = await asyncBufferFromFile(path)
  let metadata: FileMetaData
  try {
    metadata = await parquetMetadataAsync(file)
  } catch (cause) {
    throw damaged(path, cause)
  }
  const { schema, key_value_metadata = [] } = metadata
  return {
    shape: { container: 'parquet', schema, metadata: key_value_metadata },
    rows: rowsOf(path, file, metadata, onShare),
  }
}

async function* rowsOf(path: string, file: File, metadata: FileMetaData, onShare?: OnShare): AsyncGenerator<Row> {
  let line = 0
  const columns = columnsOf(metadata.schema)
  const options = { file, metadata: { ...metadata, schema: readableSchema(metadata.schema) }, compressors, parsers }
  for (const group of metadata.row_groups) {
    const rowEnd = line + Number(group.num_rows)
    let rows: Record<string, unknown>[]
    try {
      rows = await parquetReadObjects({ ...options, utf8: false, rowStart: line, rowEnd })
      for (const row of rows) for (const node of columns) row[node.element.name] = plain(row[node.element.name], node)
    } catch (cause) {
      throw damaged(path, cause)
    }
    for (const value of rows) yield { line: ++line, value }
    onShare?.(line / Number(metadata.num_rows))
  }
}

const damaged = (file: string, cause: unknown) =>
  new DataError(`damaged Parquet data (${(cause as Error).message}); fetch the file again`, { file }, { cause })

/**
 * Writes records to a Parquet file.
 * @param shape the schema to write; default: inferred from the first 1,000 records
 * @throws DataError where a record does not fit the schema
 */
export async function writeParquet(
  path: string,
  records: AsyncIterable<Readonly<Record<string, unknown>>>,
  shape?: { readonly schema: readonly SchemaElement[]; readonly metadata: readonly KeyValue[] },
): Promise<void> {
  const iterator = records[Symbol.asyncIterator]()
  const first: Readonly<Record<string, unknown>>[] = []
  while (!shape && first.length < 1000) {
    const next = await iterator.next()
    if (next.done) break
    first.push(next.value)
  }
  const schema = shape ? writableSchema(shape.schema) : schemaOf(first)
  const columns = columnsOf(schema)
  if (columns.length === 0) throw new DataError('nothing to write: a Parquet file needs a record', { file: path })
  const known = new Set(columns.map(({ element }) => element.name))
  let n = 0
  const checked = (record: Readonly<Record<string, unknown>>) => {
    n++
    for (const field of Object.keys(record))
      if (!known.has(field))
        throw new DataError('not in the schema of the records before it; write JSON Lines', {
          file: path,
          line: n,
          field,
        })
    return Object.fromEntries(
      columns.map(node => {
        const field = node.element.name
        const value = typed(record[field], node)
        if (fits(value, node)) return [field, value]
        const what = `a column of ${kindOf(node)}, got ${described(value)}: one of Parquet has one type; write JSON Lines`
        throw new DataError(what, { file: path, line: n, field })
      }),
    )
  }
  async function* rows() {
    for (const record of first) yield checked(record)
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield checked(next.value)
  }
  try {
    await parquetWriteRows({
      writer: fileWriter(path),
      rows: rows(),
      columns: columns.map(({ element }) => ({ name: element.name })),
      schema,
      rowGroupSize: 1000,
      ...(shape && shape.metadata.length > 0 && { kvMetadata: [...shape.metadata] }),
    })
  } catch (error) {
    // The records' own errors, and the system's.
    if (error instanceof EmendError || (error as NodeJS.ErrnoException).syscall) throw error
    throw new DataError(
      `cannot be written as Parquet: ${(error as Error).message}; write JSON Lines`,
      { file: path, line: n },
      { cause: error },
    )
  }
}

/** What a column holds, in a word. */
function kindOf({ element, children }: Node): string {
  if (children.length > 0) return children[0]!.element.repetition_type === 'REPEATED' ? 'lists' : 'groups'
  return element.type === 'BOOLEAN' ? 'truth values' : element.type === 'BYTE_ARRAY' ? 'texts' : 'numbers'
}

/** Whether the writer can take a value, where that is told by its kind; of the others it says itself what is wrong. */
function fits(value: unknown, { element, children }: Node): boolean {
  if (value === null || element.logical_type || /JSON|BSON/.test(element.converted_type ?? '')) return true
  if (children.length > 0) return typeof value === 'object'
  if (element.type === 'BYTE_ARRAY' && element.converted_type === 'UTF8') return typeof value === 'string'
  return typeof value !== 'object' || value instanceof Date || value instanceof Uint8Array || Array.isArray(value)
}

/** A schema that holds all these records: text, numbers, truth values, lists and groups of them; every column may be null. */
export function schemaOf(records: readonly Readonly<Record<string, unknown>>[]): SchemaElement[] {
  const fields = group('schema', records)
  return [{ ...fields[0]!, repetition_type: 'REQUIRED' }, ...fields.slice(1)]
}

function group(name: string, records: readonly Readonly<Record<string, unknown>>[]): SchemaElement[] {
  const names = [...new Set(records.flatMap(record => Object.keys(record)))]
  const children = names.map(field =>
    elements(
      field,
      records.map(record => record[field]).filter(v => v != null),
    ),
  )
  return [{ name, repetition_type: 'OPTIONAL', num_children: names.length }, ...children.flat()]
}

function elements(name: string, values: readonly unknown[]): SchemaElement[] {
  if (values.length > 0 && values.every(Array.isArray))
    return [
      { name, repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      ...elements(
        'element',
        (values as unknown[][]).flat().filter(v => v != null),
      ),
    ]
  if (values.length > 0 && values.every(v => typeof v === 'object' && !Array.isArray(v)))
    return group(name, values as Record<string, unknown>[])
  const optional = { name, repetition_type: 'OPTIONAL' } as const
  if (values.length > 0 && values.every(v => typeof v === 'number'))
    return [{ ...optional, type: values.every(Number.isSafeInteger) ? 'INT64' : 'DOUBLE' }]
  if (values.length > 0 && values.every(v => typeof v === 'boolean')) return [{ ...optional, type: 'BOOLEAN' }]
  return [{ ...optional, type: 'BYTE_ARRAY', converted_type: 'UTF8' }]
}
