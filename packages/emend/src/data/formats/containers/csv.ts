/** CSV with a header: RFC 4180, the delimiter found in the header; every value is text. */

import { pipeline, Readable } from 'node:stream'
import { type CsvError, type Info, parse } from 'csv-parse'
import { DataError } from '../../../errors.js'
import { bytesOf, type OnShare } from '../../lines.js'
import type { Opened, Row } from './container.js'
import { decodeUtf8 } from './utf-8.js'

/**
 * Opens a CSV file. One column may have no name: tables of pandas begin with such a one.
 * @throws DataError where its header is empty, has a name twice, or has one column only
 */
export async function openCsv(path: string, onShare?: OnShare): Promise<Opened> {
  const delimiter = await delimiterOf(path)
  const rows = parsed(path, delimiter, onShare)[Symbol.asyncIterator]()
  const first = await rows.next()
  const columns = first.done ? [] : first.value.record
  if (columns.length <= 2 && columns[0]?.startsWith('sep='))
    throw new DataError(`${JSON.stringify(columns[0])} of Excel stands where the header should; remove that line`, {
      file: path,
      line: 1,
    })
  const wrong = columns.find((name, i) => columns.indexOf(name) !== i)
  if (columns.length < 2 || wrong !== undefined) {
    const why =
      wrong === undefined
        ? 'expected JSON, Parquet, or CSV with a header of at least two columns'
        : wrong.trim() === ''
          ? 'the header has several columns without a name'
          : `the header has the column ${JSON.stringify(wrong)} twice`
    throw new DataError(why, { file: path, line: 1 })
  }
  return { shape: { container: 'csv', delimiter, columns }, rows: records(path, columns, rows) }
}

interface CsvRow {
  readonly record: string[]
  /** The line it starts on. */
  readonly line: number
}

async function* records(path: string, columns: readonly string[], rows: AsyncIterator<CsvRow>): AsyncGenerator<Row> {
  for (let row = await rows.next(); !row.done; row = await rows.next()) {
    const { record, line } = row.value
    if (record.length === columns.length)
      yield { line, value: Object.fromEntries(columns.map((column, i) => [column, record[i]])) }
    else {
      const what = `has ${record.length} values, the header ${columns.length} columns; quote values that hold a delimiter`
      yield { line, error: new DataError(what, { file: path, line }) }
    }
  }
}

/** Rows with the line they start on; quoted line breaks counted. */
async function* parsed(path: string, delimiter: string, onShare?: OnShare): AsyncGenerator<CsvRow> {
  const parser = parse({ delimiter, info: true, relax_column_count: true, skip_empty_lines: true, bom: true })
  // The parser hands on what fails before it.
  pipeline(Readable.from(decodeUtf8(bytesOf(path, onShare), path)), parser, () => {})
  let line = 1
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: Info }>) {
      yield { record, line: Math.max(line, info.lines - breaks(record)) }
      line = info.lines + 1
    }
  } catch (error) {
    if (error instanceof DataError) throw error
    const { lines, message } = error as CsvError & { lines?: number }
    throw new DataError(
      `broken CSV: ${message.split(' at line')[0]}`,
      { file: path, line: lines ?? line },
      { cause: error },
    )
  }
}

const breaks = (record: readonly string[]) => record.reduce((n, value) => n + value.split('\n').length - 1, 0)

/** The one of `,` `;` and tab that stands most often in the first line, outside quotes. */
async function delimiterOf(path: string): Promise<string> {
  let header = ''
  for await (const text of decodeUtf8(bytesOf(path), path)) {
    header += text
    if (header.includes('\n')) break
  }
  const bare = header.split('\n')[0]!.replace(/"[^"]*"/g, '')
  const count = (delimiter: string) => bare.split(delimiter).length
  return [',', ';', '\t'].reduce((best, one) => (count(one) > count(best) ? one : best))
}

/** One line of CSV, quoted where it must be. Values that are not text are JSON. */
export function csvLine(values: readonly unknown[], delimiter: string): string {
  const quoted = values.map(value => {
    const text = value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value)
    const plain = !/["\r\n]/.test(text) && !text.includes(delimiter) && text === text.trim()
    return plain ? text : `"${text.replaceAll('"', '""')}"`
  })
  return `${quoted.join(delimiter)}\n`
}
