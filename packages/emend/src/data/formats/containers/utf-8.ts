/** Bytes → text, strictly: what is not UTF-8 is an error, never a replacement character. */

import { isUtf8 } from 'node:buffer'
import { DataError } from '../../../errors.js'

/** Decodes chunk by chunk; a byte order mark is dropped. @throws DataError naming the line up to which the file is UTF-8 */
export async function* decodeUtf8(chunks: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let line = 1
  const decode = (chunk?: Uint8Array) => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined })
    } catch (cause) {
      const what = 'not UTF-8 from this line on; save the file as UTF-8 and try again'
      throw new DataError(what, { file, line: line + wholeLines(chunk) }, { cause })
    }
  }
  for await (const chunk of chunks) {
    const text = decode(chunk)
    for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) line++
    yield text
  }
  yield decode()
}

/** Lines at the beginning of a broken chunk that are whole; it may begin with the end of a character. */
function wholeLines(chunk: Uint8Array = new Uint8Array()): number {
  let start = 0
  while (start < 3 && (chunk[start]! & 0xc0) === 0x80) start++
  let lines = 0
  for (let end = chunk.indexOf(0x0a, start); end >= 0; end = chunk.indexOf(0x0a, start)) {
    if (!isUtf8(chunk.subarray(start, end))) break
    lines++
    start = end + 1
  }
  return lines
}
