/** Prompts to answer, from JSON Lines, a JSON array, or a text file with one on each line. */

import { contentId, type Prompt } from '@emend/edits'
import { promptField, type SourceRecord } from './fields.js'
import { type JsonLine, readRecords } from './jsonl.js'
import { type BrokenLine, readLines } from './lines.js'
import { countDuplicates, type OnBad, type ReadReport, readAll } from './reading.js'

/** A prompt and its identity by content. */
export interface PromptRecord {
  readonly id: string
  readonly prompt: Prompt
}

/** What became of the records: read = kept + empty + broken. */
export interface PromptsReport extends ReadReport<'empty'> {
  /** Set aside: nothing but white space. */
  readonly empty: number
  /** Kept prompts that stood earlier in the file; they have the same id. */
  readonly duplicates: number
}

/**
 * Reads prompts: records with a prompt column (default `prompt`), JSON strings, or the lines of a `.txt` file as they stand.
 * @throws DataError naming file, line and field at the first broken record (`onBad: 'stop'`, the default)
 */
export async function readPrompts(
  path: string,
  options: { readonly column?: string; readonly onBad?: OnBad } = {},
): Promise<{ prompts: PromptRecord[]; lines: number[]; report: PromptsReport }> {
  const { column = 'prompt', onBad = 'stop' } = options
  const keep = (record: SourceRecord): PromptRecord | 'empty' => {
    const prompt = promptField(record, column)
    const texts = typeof prompt === 'string' ? [prompt] : prompt.map(turn => turn.content)
    if (texts.every(text => text.trim() === '')) return 'empty'
    return { id: contentId(JSON.stringify(prompt)), prompt }
  }
  const { items, lines, report } = await readAll<PromptRecord, 'empty'>(path, onBad, keep, rows(path, column))
  return {
    prompts: items,
    lines,
    report: {
      ...report,
      empty: report.setAside.filter(row => row.why === 'empty').length,
      duplicates: countDuplicates(items.map(item => item.id)),
    },
  }
}

/** Plain text and JSON strings stand for a record with one column. */
async function* rows(path: string, column: string): AsyncGenerator<JsonLine | BrokenLine> {
  if (/\.txt(\.gz)?$/.test(path)) {
    for await (const row of readLines(path))
      yield 'error' in row ? row : { line: row.line, value: { [column]: row.text } }
    return
  }
  for await (const row of readRecords(path))
    yield 'value' in row && typeof row.value === 'string' ? { line: row.line, value: { [column]: row.value } } : row
}
