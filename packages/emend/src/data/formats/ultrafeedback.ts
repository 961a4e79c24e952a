/** UltraFeedback, binarized by Hugging Face H4: the prompt as text, both sides as whole conversations. Read only. */

import { textField } from '../fields.js'
import type { Format } from './format.js'
import { rest } from './text.js'
import { splitTurns } from './trl.js'

export const ultrafeedback: Format = {
  name: 'ultrafeedback',
  about: 'UltraFeedback binarized: {prompt, chosen: turns, rejected: turns, score_chosen, score_rejected}',
  container: 'parquet',
  carries: {},
  detect: ({ prompt, chosen, rejected }) =>
    typeof prompt === 'string' && Array.isArray(chosen) && Array.isArray(rejected),
  read(record) {
    textField(record, 'prompt')
    return {
      kind: 'preference',
      ...splitTurns(record),
      preference: 1,
      // `messages` is the chosen side once more.
      ...rest(record, ['prompt', 'chosen', 'rejected', 'messages']),
    }
  },
}
