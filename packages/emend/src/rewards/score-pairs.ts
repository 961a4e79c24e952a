/** What a reward model, and the baselines it must beat, say of held-out pairs. */
import type { Pair } from '../algorithms/pairs.js'
import { responseLogprobs } from '../algorithms/sft.js'
import { lengthAccuracy, lengthDirection, logprobAccuracy, type PairAccuracy } from '../evaluation/pair-accuracy.js'
import type { ScoredPair } from '../evaluation/reward-metrics.js'
import type { Decoder } from '../models/index.js'
import type { Read, RewardModel } from './reward-model.js'

const idsOf = (pairs: readonly Pair[], side: 'chosen' | 'rejected') => pairs.map(pair => pair[side].ids)
const lengthsOf = (pairs: readonly Pair[], side: 'chosen' | 'rejected') => idsOf(pairs, side).map(ids => ids.length)

/** Both sides of pairs as the model reads them, for `rewardMetrics`. */
export function scorePairs(model: RewardModel, pairs: readonly Pair[]): ScoredPair[] {
  const prompts = pairs.map(pair => pair.prompt)
  const chosen = model.readAll(prompts, idsOf(pairs, 'chosen'))
  const rejected = model.readAll(prompts, idsOf(pairs, 'rejected'))
  return pairs.map(({ labels }, i) => {
    const [c, r] = [chosen[i] as Read, rejected[i] as Read]
    const scores = { chosen: c.token, rejected: r.token, chosenScore: c.sequence, rejectedScore: r.sequence }
    return labels ? { ...scores, labels } : scores
  })
}

/** Accuracy of length alone (its direction fitted on `train`) and of the SFT model's log-probability alone, on `held`. */
export function baselines(
  sft: Decoder,
  train: readonly Pair[],
  held: readonly Pair[],
): { length: PairAccuracy; logprob: PairAccuracy } {
  const prompts = held.map(pair => pair.prompt)
  const direction = lengthDirection(lengthsOf(train, 'chosen'), lengthsOf(train, 'rejected'))
  return {
    length: lengthAccuracy(lengthsOf(held, 'chosen'), lengthsOf(held, 'rejected'), direction),
    logprob: logprobAccuracy(
      responseLogprobs(sft, prompts, idsOf(held, 'chosen')),
      responseLogprobs(sft, prompts, idsOf(held, 'rejected')),
    ),
  }
}
