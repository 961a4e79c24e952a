/** verl's training data: a prompt in turns, and the answer a rule may compare with. Write only. */

import type { Format } from './format.js'
import { chosenAndRejected, turnsOf, UNDECIDED } from './text.js'

/** https://verl.readthedocs.io/en/latest/preparation/prepare_data.html */
export const verl: Format = {
  name: 'verl',
  about: "verl's Parquet: {data_source, prompt: turns, ability, reward_model: {style, ground_truth}, extra_info}",
  container: 'parquet',
  carries: {
    edit: ['prompt', 'chat', 'draft', 'final'],
    preference: ['prompt', 'chat', 'responses'],
    response: ['prompt', 'chat', 'response'],
  },
  write(entry) {
    const pair = entry.kind === 'response' ? undefined : chosenAndRejected(entry)
    if (entry.kind === 'preference' && !pair) return UNDECIDED
    const truth = pair ? pair.chosen : entry.kind === 'response' ? entry.response : null
    return {
      data_source: 'emend',
      prompt: turnsOf(entry.prompt),
      ability: 'alignment',
      reward_model: { style: 'rule', ground_truth: truth ?? '' },
      extra_info: { split: 'train', kind: entry.kind, rejected: pair?.rejected ?? '' },
    }
  },
}
