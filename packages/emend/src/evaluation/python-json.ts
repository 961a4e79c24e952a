/** Records as Python's `json` writes them: an array or JSON Lines, and NaN where there is no number. */

import { faultOf, type JsonLine } from '../data/jsonl.js'
import { readLines, type TextLine } from '../data/lines.js'

/**
 * The records of a JSON array, told by how it begins, or of JSON Lines; `.gz` is unpacked.
 * @throws DataError with file, line and column where it is no JSON, or cannot be read
 */
export async function* pythonRecords(path: string): AsyncGenerator<JsonLine> {
  const lines: TextLine[] = []
  for await (const row of readLines(path)) {
    if ('error' in row) throw row.error
    lines.push(row)
  }
  if (
    !lines
      .find(({ text }) => text.trim() !== '')
      ?.text.trimStart()
      .startsWith('[')
  ) {
    for (const { line, text } of lines) if (text.trim() !== '') yield { line, value: pythonJson(text, path, line) }
    return
  }
  const values = pythonJson(lines.map(({ text }) => text).join('\n'), path, 1) as unknown[]
  for (const [i, value] of values.entries()) yield { line: i + 1, value }
}

/** JSON as Python's `json` writes it: NaN and ±Infinity, which are no JSON, become null. */
function pythonJson(text: string, path: string, line: number): unknown {
  try {
    return JSON.parse(text)
  } catch {
    const mended = text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b/gs, found =>
      found.startsWith('"') ? found : 'null',
    )
    try {
      return JSON.parse(mended)
    } catch (error) {
      throw faultOf(mended, path, line, error)
    }
  }
}
