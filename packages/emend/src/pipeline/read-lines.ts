/** Lines of a text file of any size, without holding the file in memory. */

import { closeSync, openSync, readSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'

/** A line without its end; `complete` is false for a last line that has none. */
export interface Line {
  text: string
  complete: boolean
}

/** Reads `path` as UTF-8, a megabyte at a time. Lines end in `\n` or `\r\n`. */
export function* readLines(path: string): Generator<Line> {
  const file = openSync(path, 'r')
  try {
    const decoder = new StringDecoder('utf8')
    const chunk = Buffer.alloc(1 << 20)
    let rest = ''
    for (let size = readSync(file, chunk); size > 0; size = readSync(file, chunk)) {
      const lines = (rest + decoder.write(chunk.subarray(0, size))).split('\n')
      rest = lines.pop()!
      for (const line of lines) yield { text: line.endsWith('\r') ? line.slice(0, -1) : line, complete: true }
    }
    rest += decoder.end()
    if (rest !== '') yield { text: rest, complete: false }
  } finally {
    closeSync(file)
  }
}
