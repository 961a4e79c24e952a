/** Preference pairs from JSON Lines or JSON arrays. */

import { contentId, type Prompt } from '@emend/edits'
import { promptField, textField } from './fields.js'
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
