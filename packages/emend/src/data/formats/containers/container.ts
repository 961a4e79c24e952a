/** How a file holds its records: told by its first bytes, written again as it was. */

import type { KeyValue, SchemaElement } from 'hyparquet'
import { DataError } from '../../../errors.js'
import { type JsonLine, readJsonLines } from '../../jsonl.js'
import { type BrokenLine, bytesOf, type OnShare } from '../../lines.js'
import { openCsv } from './csv.js'
import { readJsonArray } from './json-array.js'
import { openParquet } from './parquet.js'

/** What must be known of a file to write one like it. */
export type Shape =
  | { readonly container: 'jsonl' | 'json' }
  | { readonly container: 'csv'; readonly delimiter: string; readonly columns: readonly string[] }
  | { readonly container: 'parquet'; readonly schema: readonly SchemaElement[]; readonly metadata: readonly KeyValue[] }

/** A kind of file. */
export type Container = Shape['container']

/** A record and its line (or number), or the error of one that cannot be read. */
export type Row = JsonLine | BrokenLine

/** An opened file: its rows are read when they are asked for. */
export interface Opened {
  readonly shape: Shape
  readonly rows: AsyncIterable<Row>
}

/**
 * Opens a file of records.
 * @param onShare told now and then which share of the file has been read, 0 to 1
 * @throws DataError where it cannot be read, or is of no kind that holds records
 */
export async function openRows(path: string, onShare?: OnShare): Promise<Opened> {
  const start = await beginning(path)
  if (start.startsWith('SQLite format 3\0'))
    throw new DataError('an SQLite file, not a file of records', { file: path })
  if (/^(\xff\xfe|\xfe\xff)/.test(start))
    throw new DataError('UTF-16, expected UTF-8; save the file as UTF-8 and try again', { file: path })
  if (start.startsWith('PAR1')) return await openParquet(path, onShare)
  const text = start.replace(/^\u00ef\u00bb\u00bf/, '').trimStart()
  if (text === '') return { shape: { container: 'jsonl' }, rows: readJsonLines(path, onShare) }
  if (text.startsWith('[')) return { shape: { container: 'json' }, rows: readJsonArray(path, onShare) }
  if (/^["{]/.test(text) && !/^"[^\n]*"\s*[,;\t]/.test(text))
    return { shape: { container: 'jsonl' }, rows: readJsonLines(path, onShare) }
  return await openCsv(path, onShare)
}

/** The first 4 KiB of the unpacked file, as Latin-1, which keeps every byte. */
async function beginning(path: string): Promise<string> {
  for await (const chunk of bytesOf(path)) return chunk.subarray(0, 4096).toString('latin1')
  return ''
}
