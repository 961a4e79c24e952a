/** JSON Lines (and arrays of records in one JSON file), streamed, with the exact place of what is broken. */

import { DataError } from '../errors.js'
import { parseExactly } from './exact-json.js'
import { jsonFault } from './json-fault.js'
import { type BrokenLine, type OnShare, readLineBatches, readLines } from './lines.js'

/** One value and the line it stands on, counted from 1; in a JSON array its number in the array. */
export interface JsonLine {
  readonly line: number
  readonly value: unknown
  /** How many of its numbers are text, being more than a number holds. */
  readonly asText?: number
}

/**
 * Streams the values of a JSON Lines file; `.gz` is unpacked, a byte order mark and blank lines are passed over.
 * @throws DataError with file, line and column at the first line that is not one JSON value, or where the file cannot be read
 */
export async function* readJsonl(path: string): AsyncGenerator<JsonLine> {
  for await (const item of readJsonLines(path)) {
    if ('error' in item) throw item.error
    yield item
  }
}

/** As {@link readJsonl}, but a broken line is handed over with its error, so that the caller may set it aside and go on. */
export async function* readJsonLines(path: string, onShare?: OnShare): AsyncGenerator<JsonLine | BrokenLine> {
  for await (const lines of readLineBatches(path, onShare))
    for (const item of lines) {
      if ('error' in item) yield item
      else if (item.text.trim() !== '') yield parseLine(item.text, path, item.line)
    }
}

/**
 * Streams the records of a file by its name: an array in a `.json` file (`line` is then the record's number), JSON Lines in
 * any other; both may be gzipped.
 * @throws DataError where the file cannot be read, or a `.json` file is no array
 */
export async function* readRecords(path: string): AsyncGenerator<JsonLine | BrokenLine> {
  if (!/\.json(\.gz)?$/.test(path)) {
    yield* readJsonLines(path)
    return
  }
  const lines: string[] = []
  for await (const item of readLines(path)) {
    if ('error' in item) throw item.error
    lines.push(item.text)
  }
  const text = lines.join('\n')
  let values: unknown
  try {
    values = JSON.parse(text)
  } catch (error) {
    throw faultOf(text, path, 1, error)
  }
  if (!Array.isArray(values))
    throw new DataError(`expected an array of records, got ${described(values)}; JSON Lines end in .jsonl`, {
      file: path,
    })
  for (const [i, value] of values.entries()) yield { line: i + 1, value }
}

/** A value in a few words for an error: its kind, and its beginning if it is short enough to help. */
export function described(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object') return `an object with ${Object.keys(value).slice(0, 8).join(', ') || 'no fields'}`
  const text = JSON.stringify(value)
  return `${typeof value} ${text.length > 40 ? `${text.slice(0, 40)}…` : text}`
}

/** What JavaScript and Python call numbers that are none. */
const NO_JSON = /^(?:NaN|-?Infinity)/

function parseLine(text: string, file: string, line: number): JsonLine | BrokenLine {
  try {
    return { line, ...parseExactly(text) }
  } catch (error) {
    return { line, error: faultOf(text, file, line, error) }
  }
}

/** The DataError of a text that starts on `line` and is not JSON. */
export function faultOf(text: string, file: string, line: number, cause: unknown): DataError {
  const fault = jsonFault(text)
  if (!fault) return new DataError(`not JSON: ${(cause as Error).message}`, { file, line }, { cause })
  const before = text.slice(0, fault.at).split('\n')
  const column = before.at(-1)!.length + 1
  const word = NO_JSON.exec(text.slice(fault.at, fault.at + 9))?.[0]
  if (word) {
    const what = `column ${column}: JSON has no ${word}; write null, or leave the field out`
    return new DataError(what, { file, line: line + before.length - 1 }, { cause })
  }
  const got = fault.at >= text.length ? 'the end' : JSON.stringify(String.fromCodePoint(text.codePointAt(fault.at)!))
  const what = `column ${column}: broken JSON: expected ${fault.expected}, got ${got}; mend the line or remove it`
  return new DataError(what, { file, line: line + before.length - 1 }, { cause })
}
