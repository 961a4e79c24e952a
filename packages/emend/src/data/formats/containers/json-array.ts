/** A JSON array of records of any size, a record at a time. */

import { DataError } from '../../../errors.js'
import { faultOf } from '../../jsonl.js'
import { bytesOf } from '../../lines.js'
import type { Row } from './container.js'
import { decodeUtf8 } from './utf-8.js'

const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * Streams the elements of a JSON array, numbered from 1. An element that is not JSON is handed over with its error, which names its
 * line in the file.
 * @throws DataError where the file is no array, ends inside it, or goes on after it
 */
export async function* readJsonArray(path: string): AsyncGenerator<Row> {
  let text = ''
  let at = 0
  let start = 0
  let depth = 0
  let inString = false
  let line = 1
  let startLine = 1
  let n = 0
  const element = (end: number): Row | undefined => {
    const json = text.slice(start, end)
    if (json.trim() === '') return undefined
    n++
    try {
      return { line: n, value: JSON.parse(json) }
    } catch (error) {
      return { line: n, error: faultOf(json, path, startLine, error) }
    }
  }
  for await (const chunk of decodeUtf8(bytesOf(path), path)) {
    text = text.slice(start) + chunk
    at -= start
    start = 0
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === 0x0a) line++
      if (inString) {
        if (code === BACKSLASH) at++
        else if (code === QUOTE) inString = false
      } else if (code === QUOTE) inString = true
      else if (code === 0x5b || code === 0x7b) {
        if (depth++ === 0) {
          start = at + 1
          startLine = line
        }
      } else if (code === 0x5d || code === 0x7d || (code === 0x2c && depth === 1)) {
        if (code !== 0x2c) depth--
        if (depth <= 1 && (code === 0x2c || depth === 0)) {
          const row = element(at)
          if (row) yield row
          else if (code === 0x2c || n > 0)
            yield { line: ++n, error: new DataError('no record before the comma; remove it', { file: path, line }) }
          start = at + 1
          startLine = line
        }
        if (depth < 0) throw new DataError('goes on after the array of records has ended', { file: path, line })
      } else if (depth === 0 && code > 0x20) {
        throw new DataError('goes on after the array of records has ended', { file: path, line })
      }
    }
  }
  if (depth > 0) throw new DataError(`ends inside record ${n + 1}: the file is cut off`, { file: path, line })
}
