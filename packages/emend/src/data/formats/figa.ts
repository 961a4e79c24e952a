/** FIGA's SPA data: an answer, the model's own, and the model's own revised (Guo et al. 2023, arXiv 2311.04072). */

import { optionalText, type SourceRecord, textField } from '../fields.js'
import type { Format } from './format.js'
import { instructionOf, plainPrompt, rest, SEVERAL_TURNS } from './text.js'

const KNOWN = ['instruction', 'input', 'output', 'original_output', 'revised_output']

export const figa: Format = {
  name: 'figa',
  about: "FIGA's {input, output, original_output, revised_output}; with an instruction, if there is one",
  container: 'json',
  carries: { edit: ['prompt', 'draft', 'final', 'preferred', 'rest'] },
  detect: ({ original_output, revised_output }) =>
    typeof original_output === 'string' && typeof revised_output === 'string',
  read(record) {
    const output = optionalText(record, 'output')
    return {
      kind: 'edit',
      ...prompt(record),
      draft: textField(record, 'original_output'),
      final: textField(record, 'revised_output'),
      ...(output !== undefined && { preferred: output }),
      ...rest(record, KNOWN),
    }
  },
  write(entry) {
    const text = plainPrompt(entry.prompt)
    if (text === undefined) return SEVERAL_TURNS
    if (entry.kind !== 'edit') return 'it is no edit'
    const { draft, final, preferred, rest, form } = entry
    const asked = form?.['instructed'] ? instructionOf(text, form) : { input: text }
    const outputs = {
      original_output: draft,
      revised_output: final,
      ...(preferred !== undefined && { output: preferred }),
    }
    return { ...rest, ...asked, ...outputs }
  },
}

/** FIGA's trainer joins an instruction and its input; the records of the paper have the input alone. */
function prompt(record: SourceRecord) {
  const instruction = optionalText(record, 'instruction')
  if (instruction === undefined) return { prompt: textField(record, 'input') }
  const input = optionalText(record, 'input')
  return {
    prompt: input ? `${instruction}\n\n${input}` : instruction,
    form: { instructed: true, ...(input !== undefined && { input }) },
  }
}
