/** A JSON array of records of any size, a record at a time. */

import { DataError } from '../../../errors.js'
import { parseExactly } from '../../exact-json.js'
import { faultOf } from '../../jsonl.js'
import { bytesOf, type OnShare } from '../../lines.js'
import type { Row } from './container.js'
import { decodeUtf8 } from './utf-8.js'

const [NEWLINE, SPACE, QUOTE, COMMA, BACKSLASH] = [0x0a, 0x20, 0x22, 0x2c, 0x5c]
const [OPEN_ARRAY, OPEN_OBJECT, CLOSE_ARRAY, CLOSE_OBJECT] = [0x5b, 0x7b, 0x5d, 0x7d]

/**
 * Streams the elements of a JSON array, numbered from 1. An element that is not JSON is handed over with its error, which names its
 * line in the file.
 * @throws DataError where the file is no array, ends inside it, or goes on after it
 */
export async function* readJsonArray(path: string, onShare?: OnShare): AsyncGenerator<Row> {
  let text = ''
  let at = 0
  let start = 0
  let depth = 0
  let inString = false
  let line = 1
  let startLine = 1
  let n = 0
  let ended = false
  const broken = (what: string) => new DataError(what, { file: path, line })
  const element = (end: number): Row | undefined => {
    const json = text.slice(start, end)
    if (json.trim() === '') return undefined
    n++
    try {
      return { line: n, ...parseExactly(json) }
    } catch (error) {
      return { line: n, error: faultOf(json, path, startLine, error) }
    }
  }
  for await (const chunk of decodeUtf8(bytesOf(path, onShare), path)) {
    text = text.slice(start) + chunk
    at -= start
    start = 0
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === NEWLINE) line++
      if (inString) {
        if (code === BACKSLASH) at++
        else if (code === QUOTE) inString = false
        continue
      }
      if (depth === 0) {
        if (code === OPEN_ARRAY && !ended) {
          depth = 1
          start = at + 1
          startLine = line
        } else if (code > SPACE) throw broken('goes on after the array of records has ended')
      } else if (code === QUOTE) inString = true
      else if (code === OPEN_ARRAY || code === OPEN_OBJECT) depth++
      else if (depth > 1) {
        if (code === CLOSE_ARRAY || code === CLOSE_OBJECT) depth--
      } else if (code === COMMA || code === CLOSE_ARRAY || code === CLOSE_OBJECT) {
        const row = element(at)
        if (row) yield row
        else if (code === COMMA || n > 0) yield { line: ++n, error: broken('no record before the comma; remove it') }
        if (code === CLOSE_OBJECT) throw broken('expected "," or "]" after a record, got "}"')
        ended = code === CLOSE_ARRAY
        if (ended) depth = 0
        start = at + 1
        startLine = line
      }
    }
  }
  if (depth > 0) throw broken(`ends inside record ${n + 1}: the file is cut off`)
}
