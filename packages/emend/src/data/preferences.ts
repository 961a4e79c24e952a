/** Preference pairs, and AlpacaEval's annotations, from JSON Lines or JSON arrays. */

import { contentId, type Prompt } from '@emend/edits'
import type { Preference } from '../evaluation/winrate.js'
import { optionalText, presentField, promptField, type SourceRecord, textField, wrong } from './fields.js'
import { countDuplicates, type OnBad, type ReadReport, readAll } from './reading.js'
import { preferenceRows } from './stored.js'

/** Two responses to one prompt, of which the first was preferred. */
export interface PreferencePair {
  /** Made from the content. */
  readonly id: string
  readonly prompt: Prompt
  readonly chosen: string
  readonly rejected: string
}

/** What the columns of a file are called. */
export interface PreferenceColumns {
  readonly prompt: string
  readonly chosen: string
  readonly rejected: string
}

/** What became of the records: read = kept + unchanged + broken. */
export interface PreferencesReport extends ReadReport<'unchanged'> {
  /** Set aside: chosen and rejected are the same text. */
  readonly unchanged: number
  /** Kept pairs whose content stood earlier in the file; they have the same id. */
  readonly duplicates: number
}

/**
 * Reads preference pairs. Texts are taken as they stand, made well-formed.
 * @param path JSON Lines, or a JSON array in a `.json` file; `.gz` is unpacked; or a store (`emend import`, `emend studio`)
 * @throws DataError naming file, line and field at the first broken record (`onBad: 'stop'`, the default)
 */
export async function readPreferences(
  path: string,
  options: { readonly columns?: PreferenceColumns; readonly onBad?: OnBad } = {},
): Promise<{ preferences: PreferencePair[]; lines: number[]; report: PreferencesReport }> {
  const { columns = { prompt: 'prompt', chosen: 'chosen', rejected: 'rejected' }, onBad = 'stop' } = options
  const { items, lines, report } = await readAll<PreferencePair, 'unchanged'>(
    path,
    onBad,
    record => {
      const prompt = promptField(record, columns.prompt)
      const chosen = textField(record, columns.chosen).toWellFormed()
      const rejected = textField(record, columns.rejected).toWellFormed()
      if (chosen === rejected) return 'unchanged'
      return { id: contentId(JSON.stringify(prompt), chosen, rejected), prompt, chosen, rejected }
    },
    preferenceRows(path),
  )
  return {
    preferences: items,
    lines,
    report: {
      ...report,
      unchanged: report.setAside.filter(row => row.why === 'unchanged').length,
      duplicates: countDuplicates(items.map(pair => pair.id)),
    },
  }
}

/** One judgement as AlpacaEval stores it. */
export interface Annotation {
  readonly instruction: string
  /** The reference's output. */
  readonly output_1: string
  /** The model's output. */
  readonly output_2: string
  readonly generator_1?: string
  readonly generator_2?: string
  /** The judge. */
  readonly annotator?: string
  /** 1 = output_1 wins, 2 = output_2 wins, fractions between; 0 and null = the judge gave none (a draw). */
  readonly preference: Preference
}

/**
 * Reads AlpacaEval's `annotations.json` (or the same records as JSON Lines).
 * @throws DataError naming file, record and field; a preference other than null, 0 or in [1, 2] is one
 */
export async function readAnnotations(
  path: string,
  options: { readonly onBad?: OnBad } = {},
): Promise<{ annotations: Annotation[]; report: ReadReport<never> }> {
  const { items, report } = await readAll<Annotation, never>(path, options.onBad ?? 'stop', record => ({
    instruction: textField(record, 'instruction'),
    output_1: textField(record, 'output_1'),
    output_2: textField(record, 'output_2'),
    ...optionalTexts(record, ['generator_1', 'generator_2', 'annotator']),
    preference: preferenceField(record),
  }))
  return { annotations: items, report }
}

function preferenceField(record: SourceRecord): Preference {
  const value = presentField(record, 'preference')
  if (value === null || value === 0) return value
  if (typeof value === 'number' && value >= 1 && value <= 2) return value
  throw wrong(record, 'preference', 'expected null, 0 or a number in [1, 2]', value)
}

function optionalTexts<Field extends string>(
  record: SourceRecord,
  fields: readonly Field[],
): { [F in Field]?: string } {
  const found: { [F in Field]?: string } = {}
  for (const field of fields) {
    const text = optionalText(record, field)
    if (text !== undefined) found[field] = text
  }
  return found
}
