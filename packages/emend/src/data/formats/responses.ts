/** Plain responses under any column names: `{prompt, response?, generator?}`; what fills the annotation queue. */

import { optionalText, promptField } from '../fields.js'
import type { Columns, Format } from './format.js'
import { rest } from './text.js'

const PLAIN: Columns = { prompt: 'prompt', response: 'response', generator: 'generator' }

export const responses: Format = {
  name: 'responses',
  about: 'plain responses, or prompts alone: {prompt, response?, generator?}, or any other names with --columns',
  container: 'jsonl',
  columns: Object.keys(PLAIN),
  carries: { response: ['prompt', 'chat', 'response', 'generator', 'rest'] },
  detect: ({ prompt, chosen, draft }) =>
    (typeof prompt === 'string' || Array.isArray(prompt)) && chosen === undefined && draft === undefined,
  read(record, { columns = PLAIN }) {
    const names: Columns = { prompt: 'prompt', ...columns }
    const optional = (name: string) => (names[name] === undefined ? undefined : optionalText(record, names[name]))
    const generator = optional('generator')
    return {
      kind: 'response',
      prompt: promptField(record, names['prompt']!),
      response: optional('response') ?? null,
      ...(generator !== undefined && { generator }),
      ...rest(record, Object.values(names)),
    }
  },
  write(entry, { columns = PLAIN }) {
    if (entry.kind !== 'response') return 'it is no response'
    const { prompt, response, generator, rest } = entry
    const fields: Record<string, unknown> = { ...rest, [columns['prompt'] ?? 'prompt']: prompt }
    if (response !== null) fields[columns['response'] ?? 'response'] = response
    if (generator !== undefined) fields[columns['generator'] ?? 'generator'] = generator
    return fields
  },
}
