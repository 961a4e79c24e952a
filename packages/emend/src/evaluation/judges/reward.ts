/** A reward model as a judge: the chance that it gives the second response over the first. */

import { withEos } from '@emend/edits'
import type { RewardModel } from '../../rewards/reward-model.js'
import { encodePrompts, type Tokenizer } from '../../text/index.js'
import type { Judge } from './judge.js'

/**
 * Judges by the model's own probability (Bradley–Terry): preference = 1 + σ(R(b) − R(a)), R as its objective defines it, before any
 * calibration. Both responses count as ended. What is too long for the model has no judgement.
 *
 * @param name as it stands in annotations
 */
export function rewardJudge(reward: RewardModel, tokenizer: Tokenizer, name: string): Judge {
  const { maxPositions, eos } = reward.scalar.config
  return {
    name,
    async compare({ prompt, a, b }) {
      const [ids] = await encodePrompts(tokenizer, [prompt])
      const texts = await tokenizer.encodeBatch([a, b])
      const responses = texts.map(text => (eos[0] === undefined ? text.ids : withEos(text, eos[0]).ids))
      const longest = ids!.length + Math.max(...responses.map(({ length }) => length))
      if (longest > maxPositions)
        return { preference: null, raw: `too long: ${longest} tokens, the model reads ${maxPositions}` }
      const [ra, rb] = reward.readAll([ids!, ids!], responses).map(({ sequence }) => sequence) as [number, number]
      return { preference: 1 + 1 / (1 + Math.exp(ra - rb)), raw: JSON.stringify({ a: ra, b: rb }) }
    },
  }
}
