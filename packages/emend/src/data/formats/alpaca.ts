/** Alpaca's demonstrations: `{instruction, input, output}` (Taori et al. 2023). Read only. */

import { textField } from '../fields.js'
import type { Format } from './format.js'
import { instructed, rest } from './text.js'

export const alpaca: Format = {
  name: 'alpaca',
  about: "Stanford Alpaca's {instruction, input, output}",
  container: 'json',
  carries: {},
  detect: ({ instruction, output }) => typeof instruction === 'string' && typeof output === 'string',
  read: record => ({
    kind: 'response',
    ...instructed(record),
    response: textField(record, 'output'),
    // `text` is the three others in a template.
    ...rest(record, ['instruction', 'input', 'output', 'text']),
  }),
}
