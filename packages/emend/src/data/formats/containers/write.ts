/** Records → a file of any kind, there whole at the end or not at all; or a stream. */

import { createWriteStream, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { DataError, EmendError, UsageError } from '../../../errors.js'
import type { Container, Shape } from './container.js'
import { csvLine } from './csv.js'
import { writeParquet } from './parquet.js'

type Records = AsyncIterable<Readonly<Record<string, unknown>>>

/** The kind of file that a name asks for; undefined where it does not say. */
export function containerOf(path: string): Container | undefined {
  const name = path.replace(/\.gz$/, '')
  if (/\.(jsonl|ndjson)$/.test(name)) return 'jsonl'
  if (name.endsWith('.json')) return 'json'
  if (/\.[ct]sv$/.test(name)) return 'csv'
  return name.endsWith('.parquet') ? 'parquet' : undefined
}

/**
 * Writes records.
 * @param out a file (gzipped if its name ends in `.gz`), or a stream such as stdout
 * @param shape its kind, and its columns or schema where they are known; else those of the first records
 */
export async function writeRows(out: string | Writable, shape: Shape | { container: Container }, records: Records) {
  if (typeof out !== 'string') {
    if (shape.container === 'parquet') throw new UsageError('Parquet needs a file: --out FILE.parquet')
    for await (const text of textOf(shape, records)) await send(out, text)
    return
  }
  const temporary = `${out}.${process.pid}.tmp`
  try {
    mkdirSync(dirname(out), { recursive: true })
  } catch (error) {
    throw ofFile(out, temporary, error)
  }
  try {
    if (shape.container === 'parquet') await writeParquet(temporary, records, 'schema' in shape ? shape : undefined)
    else await writeText(temporary, out.endsWith('.gz'), textOf(shape, records))
    renameSync(temporary, out)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw ofFile(out, temporary, error)
  }
}

/** The error under the name that was asked for, not the temporary one. */
function ofFile(out: string, temporary: string, error: unknown): unknown {
  if (error instanceof DataError && error.file === temporary) {
    const what = error.message.slice(temporary.length).replace(/^:(\d+)?:? ?/, '')
    return new DataError(what, { file: out, ...(error.line !== undefined && { line: error.line }) }, { cause: error })
  }
  if (error instanceof EmendError || !(error instanceof Error) || !('syscall' in error)) return error
  const why = error.message.replace(/^\w+: /, '').split(',')[0]
  return new DataError(`cannot be written: ${why}`, { file: out }, { cause: error })
}

async function writeText(path: string, packed: boolean, texts: AsyncIterable<string>): Promise<void> {
  const file = createWriteStream(path, { flush: true })
  await (packed ? pipeline(texts, createGzip(), file) : pipeline(texts, file))
}

/** A promise a write, since a stream that failed tells only the callbacks. */
const send = (stream: Writable, text: string) =>
  new Promise<void>((resolve, reject) => stream.write(text, error => (error ? reject(error) : resolve())))

const CHUNK = 1 << 16

/** The text of a file, in pieces of some size. */
async function* textOf(shape: Shape | { container: Container }, records: Records): AsyncGenerator<string> {
  let text = shape.container === 'json' ? '[' : ''
  let columns = 'columns' in shape ? shape.columns : undefined
  const delimiter = 'delimiter' in shape ? shape.delimiter : ','
  if (columns) text += csvLine(columns, delimiter)
  let n = 0
  for await (const record of records) {
    n++
    if (shape.container === 'csv') {
      if (!columns) text += csvLine((columns = Object.keys(record)), delimiter)
      const unknown = Object.keys(record).find(field => !columns!.includes(field))
      if (unknown !== undefined)
        throw new DataError(
          `record ${n}: its field ${JSON.stringify(unknown)} is no column of the first record; write JSON Lines`,
        )
      text += csvLine(
        columns.map(column => record[column]),
        delimiter,
      )
    } else if (shape.container === 'json') text += `${n > 1 ? ',' : ''}\n${JSON.stringify(record)}`
    else text += `${JSON.stringify(record)}\n`
    if (text.length < CHUNK) continue
    yield text
    text = ''
  }
  yield shape.container === 'json' ? `${text}\n]\n` : text
}
