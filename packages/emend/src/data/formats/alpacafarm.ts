/** AlpacaFarm's preferences: `{instruction, input, output_1, output_2, preference}` (Dubois et al. 2023, arXiv 2305.14387). */

import { textField } from '../fields.js'
import type { Format } from './format.js'
import { instructed, instructionOf, plainPrompt, preferenceField, rest, SEVERAL_TURNS } from './text.js'

export const alpacafarmPreference: Format = {
  name: 'alpacafarm-preference',
  about: "AlpacaFarm's {instruction, input, output_1, output_2, preference: 1 or 2}",
  container: 'json',
  carries: {
    preference: ['prompt', 'responses', 'strength', 'rest'],
    edit: ['prompt', 'draft', 'final'],
  },
  detect: fields =>
    ['instruction', 'output_1', 'output_2', 'preference'].every(field => field in fields) &&
    !('annotator' in fields || 'generator_1' in fields),
  read: record => ({
    kind: 'preference',
    ...instructed(record),
    first: textField(record, 'output_1'),
    second: textField(record, 'output_2'),
    preference: preferenceField(record, 'preference'),
    ...rest(record, ['instruction', 'input', 'output_1', 'output_2', 'preference']),
  }),
  write(entry) {
    const prompt = plainPrompt(entry.prompt)
    if (prompt === undefined) return SEVERAL_TURNS
    const instruction = { input: '', ...instructionOf(prompt, entry.form) }
    if (entry.kind === 'edit') return { ...instruction, output_1: entry.draft, output_2: entry.final, preference: 2 }
    if (entry.kind !== 'preference') return 'it is no preference'
    const { first, second, preference, rest } = entry
    return { ...rest, ...instruction, output_1: first, output_2: second, preference }
  },
}
