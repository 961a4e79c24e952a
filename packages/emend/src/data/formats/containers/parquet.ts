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
import { DataError } from '../../../errors.js'
import type { OnShare } from '../../lines.js'
import type { Opened, Row } from './container.js'

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
  for (const group of metadata.row_groups) {
    const rowEnd = line + Number(group.num_rows)
    let rows: Record<string, unknown>[]
    try {
      rows = await parquetReadObjects({ file, metadata, compressors, rowStart: line, rowEnd })
    } catch (cause) {
      throw damaged(path, cause)
    }
    for (const row of rows) yield { line: ++line, value: plain(row) }
    onShare?.(line / Number(metadata.num_rows))
  }
}

const damaged = (file: string, cause: unknown) =>
  new DataError(`damaged Parquet data (${(cause as Error).message}); fetch the file again`, { file }, { cause })

/** Values as JSON has them: whole numbers as numbers where that is exact (else text), times as ISO 8601, bytes as base64. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map(plain)
  if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array, plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}

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
  const schema = [...(shape?.schema ?? schemaOf(first))]
  const columns = topLevel(schema)
  if (columns.length === 0) throw new DataError('nothing to write: a Parquet file needs a record', { file: path })
  const known = new Set(columns.map(column => column.name))
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
    return Object.fromEntries(columns.map(({ name, node }) => [name, typed(record[name], node)]))
  }
  async function* rows() {
    for (const record of first) yield checked(record)
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield checked(next.value)
  }
  try {
    await parquetWriteRows({
      writer: fileWriter(path),
      rows: rows(),
      columns: columns.map(({ name }) => ({ name })),
      schema,
      rowGroupSize: 1000,
      ...(shape && shape.metadata.length > 0 && { kvMetadata: [...shape.metadata] }),
    })
  } catch (error) {
    if (error instanceof DataError) throw error
    throw new DataError(
      `cannot be written as Parquet: ${(error as Error).message}`,
      { file: path, line: n },
      { cause: error },
    )
  }
}

interface Node {
  readonly element: SchemaElement
  readonly children: readonly Node[]
}

function topLevel(schema: readonly SchemaElement[]): { name: string; node: Node }[] {
  let at = 0
  const read = (): Node => {
    const element = schema[at++]!
    return { element, children: Array.from({ length: element.num_children ?? 0 }, read) }
  }
  return schema.length === 0 ? [] : read().children.map(node => ({ name: node.element.name, node }))
}

/** What the writer wants of a value of the schema: times as Date, bytes as bytes, whole numbers too long for JSON as bigint. */
function typed(value: unknown, { element, children }: Node): unknown {
  if (value === undefined || value === null) return null
  if (Array.isArray(value)) {
    // list → repeated group → element
    const item = children[0]?.children[0] ?? children[0]
    return item ? value.map(inner => typed(inner, item)) : value
  }
  if (typeof value === 'object')
    return Object.fromEntries(
      children.map(child => [child.element.name, typed((value as Record<string, unknown>)[child.element.name], child)]),
    )
  const { type, converted_type, logical_type } = element
  if (typeof value === 'number' && type === 'INT64') return BigInt(value)
  if (typeof value !== 'string') return value
  if (/^TIMESTAMP|^DATE$/.test(converted_type ?? logical_type?.type ?? '')) return new Date(value)
  if (type === 'INT64') return BigInt(value)
  const text = /UTF8|JSON|ENUM/.test(converted_type ?? '') || /STRING|JSON|ENUM/.test(logical_type?.type ?? '')
  return type === 'BYTE_ARRAY' && !text ? Buffer.from(value, 'base64') : value
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
