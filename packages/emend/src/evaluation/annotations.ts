/** AlpacaEval's annotation files: judgements of two outputs, read as leniently as its own code and as strictly as is safe. */

import { asRecord, optionalText, type SourceRecord, textField, wrong } from '../data/fields.js'
import { DataError } from '../errors.js'
import { writeAtomically } from '../pipeline/atomic-file.js'
import { pythonRecords } from './python-json.js'
import { type Preference, type WinRate, winRate } from './winrate.js'

/** One judgement as AlpacaEval stores it. */
export interface Annotation {
  readonly instruction: string
  /** The reference's output. */
  readonly output_1: string
  /** The model's output. */
  readonly output_2: string
  readonly generator_1?: string
  readonly generator_2?: string
  readonly dataset?: string
  /** The judge. */
  readonly annotator?: string
  /** 1 = output_1 wins, 2 = output_2 wins, fractions between, 0 a draw; null where the judge gave none. */
  readonly preference: Preference
  /** What the judge said, where that is text. */
  readonly raw_completion?: string
  /** In which order the judge saw the outputs: `1, 2`, `2, 1` or `both`. Ours: AlpacaEval does not tell. */
  readonly order?: string
  /** Why there is no judgement. Ours too. */
  readonly failure?: string
}

/**
 * Reads `annotations.json`, or the same records as JSON Lines; `.gz` is unpacked. Python's `NaN` is read as null. A preference
 * that is null, absent or −1 is no judgement: AlpacaEval's statistics leave those out.
 * @throws DataError naming file, record (or line) and field; one for a file without any judgement
 */
export async function readAnnotations(path: string): Promise<Annotation[]> {
  const annotations: Annotation[] = []
  let named = false
  for await (const { line, value } of pythonRecords(path)) {
    const record = asRecord(value, path, line)
    named ||= 'preference' in record.fields
    annotations.push({
      instruction: textField(record, 'instruction'),
      output_1: textField(record, 'output_1'),
      output_2: textField(record, 'output_2'),
      ...optionalTexts(record, ['generator_1', 'generator_2', 'dataset', 'annotator']),
      preference: preferenceField(record),
      ...plainTexts(record, ['raw_completion', 'order', 'failure']),
    })
  }
  if (annotations.length === 0) throw new DataError('no judgements; expected at least one record', { file: path })
  if (annotations.every(({ preference }) => preference === null)) {
    const why = named ? 'every preference is null' : 'no record has the field preference'
    throw new DataError(`no judgements in ${annotations.length} records: ${why}`, { file: path })
  }
  return annotations
}

/** Writes annotations as AlpacaEval does: a JSON array, there whole or not at all. */
export function writeAnnotations(path: string, annotations: readonly Annotation[]): void {
  writeAtomically(path, `${JSON.stringify(annotations, null, 2)}\n`)
}

/** The statistics of annotations. */
export function annotatedWinRate(annotations: readonly Annotation[]): WinRate {
  return winRate(
    annotations.map(({ preference }) => preference),
    annotations.map(({ output_2 }) => output_2),
  )
}

/** Those of some fields that are text; others write other things there, such as a provider's whole answer. */
function plainTexts<Field extends string>(
  { fields }: SourceRecord,
  names: readonly Field[],
): { [F in Field]?: string } {
  const texts = names.flatMap(name => (typeof fields[name] === 'string' ? [[name, fields[name]]] : []))
  return Object.fromEntries(texts) as { [F in Field]?: string }
}

function preferenceField(record: SourceRecord): Preference {
  const value = record.fields['preference'] ?? null
  if (value === null || value === -1) return null
  if (value === 0 || (typeof value === 'number' && value >= 1 && value <= 2)) return value
  throw wrong(record, 'preference', 'expected null, -1, 0 or a number in [1, 2]', value)
}

/** Those of some fields that are there. */
export function optionalTexts<Field extends string>(
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
