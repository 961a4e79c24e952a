/** NeMo-RL's preferences: `{context, completions: [{rank, completion}]}`, a lower rank is better. Read only. */

import { asRecord, presentField, wrong } from '../fields.js'
import type { PreferenceEntry } from './entry.js'
import type { Format } from './format.js'
import { answer, numberField, rest, turnsField } from './text.js'

export const nemoRl: Format = {
  name: 'nemo-rl',
  about:
    "NeMo-RL's {context: turns, completions: [{rank, completion: turns}]}; a preference for each two of different rank",
  container: 'jsonl',
  carries: {},
  detect: ({ context, completions }) => Array.isArray(context) && Array.isArray(completions),
  read(record) {
    const prompt = turnsField(record, 'context')
    const completions = presentField(record, 'completions')
    if (!Array.isArray(completions) || completions.length < 2)
      throw wrong(record, 'completions', 'expected a list of at least two', completions)
    const ranked = completions.map((value: unknown) => {
      const completion = asRecord(value, record.file, record.line)
      return {
        rank: numberField(completion, 'rank'),
        text: answer(completion, 'completion', turnsField(completion, 'completion')),
      }
    })
    ranked.sort((a, b) => a.rank - b.rank)
    const others = rest(record, ['context', 'completions'])
    return ranked.flatMap(({ rank, text: first }, i) =>
      ranked
        .slice(i + 1)
        .filter(worse => worse.rank > rank)
        .map(
          ({ text: second }): PreferenceEntry => ({
            kind: 'preference',
            prompt,
            first,
            second,
            preference: 1,
            ...others,
          }),
        ),
    )
  },
}
