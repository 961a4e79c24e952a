/** AlpacaEval's files: outputs of a model, and annotations that compare them (Li et al. 2023). */

import { optionalText, type SourceRecord, textField } from '../fields.js'
import type { Format } from './format.js'
import { instructed, instructionOf, plainPrompt, preferenceField, rest, SEVERAL_TURNS } from './text.js'

export const alpacaevalOutputs: Format = {
  name: 'alpacaeval-outputs',
  about: "AlpacaEval's model outputs: {instruction, output, generator}",
  container: 'json',
  carries: { response: ['prompt', 'response', 'generator', 'rest'] },
  detect: fields => ['instruction', 'output', 'generator'].every(field => typeof fields[field] === 'string'),
  read: record => ({
    kind: 'response',
    ...instructed(record),
    response: textField(record, 'output'),
    generator: textField(record, 'generator'),
    ...rest(record, ['instruction', 'input', 'output', 'generator']),
  }),
  write(entry) {
    const prompt = plainPrompt(entry.prompt)
    if (prompt === undefined) return SEVERAL_TURNS
    if (entry.kind !== 'response' || entry.response === null) return 'it has no response'
    const { response, generator = 'unknown', rest } = entry
    return { ...rest, ...instructionOf(prompt, entry.form), output: response, generator }
  },
}

const KNOWN = ['instruction', 'input', 'output_1', 'output_2', 'preference', 'annotator']

export const alpacaevalAnnotations: Format = {
  name: 'alpacaeval-annotations',
  about: "AlpacaEval's annotations.json: {instruction, output_1, output_2, preference in [1, 2] or null, annotator}",
  container: 'json',
  carries: { preference: ['prompt', 'responses', 'strength', 'by', 'rest'] },
  detect: fields =>
    ['instruction', 'output_1', 'output_2', 'preference'].every(field => field in fields) &&
    ('annotator' in fields || 'generator_1' in fields),
  read: record => ({
    kind: 'preference',
    ...instructed(record),
    first: textField(record, 'output_1'),
    second: textField(record, 'output_2'),
    preference: preferenceField(record, 'preference'),
    ...annotator(record),
    ...rest(record, KNOWN),
  }),
  write(entry) {
    const prompt = plainPrompt(entry.prompt)
    if (prompt === undefined) return SEVERAL_TURNS
    if (entry.kind !== 'preference') return 'it is no preference'
    const { first, second, preference, by, rest } = entry
    const outputs = { output_1: first, output_2: second, preference, ...(by && { annotator: by.name }) }
    return { ...rest, ...instructionOf(prompt, entry.form), ...outputs }
  },
}

function annotator(record: SourceRecord) {
  const name = optionalText(record, 'annotator')
  return name ? { by: { kind: 'model', name } as const } : {}
}
