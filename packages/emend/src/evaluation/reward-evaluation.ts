/** What a reward model is worth on pairs it was not trained on: all of them, and subset by subset. */

import type { Pair } from '../algorithms/pairs.js'
import type { RewardModel } from '../rewards/reward-model.js'
import { scorePairs } from '../rewards/score-pairs.js'
import { lengthAccuracy, type PairAccuracy, pairAccuracy } from './pair-accuracy.js'
import { type RewardMetrics, rewardMetrics, type ScoredPair } from './reward-metrics.js'
import { mean } from './statistics.js'

/** One subset of the pairs. */
export interface SubsetAccuracy extends PairAccuracy {
  /** Mean of R(chosen) − R(rejected). */
  readonly margin: number
  /** Accuracy of always preferring the longer response, in tokens: that of the shorter one is 1 less it. */
  readonly longer: number
}

/** Accuracy, token localisation and the length baseline. */
export interface RewardEvaluation {
  readonly metrics: RewardMetrics
  /** Of always preferring the longer response. It is fitted to nothing: below ½ the shorter ones are preferred. */
  readonly longer: PairAccuracy
  /** By name, in the order in which they come. */
  readonly subsets: ReadonlyMap<string, SubsetAccuracy>
  /** Mean accuracy over subsets, each counting once; absent without subsets. */
  readonly subset_mean?: number
}

/**
 * Reads every pair and measures it.
 * @param subsets the name of each pair's subset, where pairs have one
 */
export function evaluateReward(
  reward: RewardModel,
  pairs: readonly Pair[],
  subsets?: readonly string[],
): RewardEvaluation {
  return measureReward(scorePairs(reward, pairs), subsets)
}

/** The same of pairs that were read. */
export function measureReward(scored: readonly ScoredPair[], subsets?: readonly string[]): RewardEvaluation {
  const groups = new Map<string, ScoredPair[]>()
  for (const [i, name] of (subsets ?? []).entries()) {
    const group = groups.get(name)
    if (group) group.push(scored[i]!)
    else groups.set(name, [scored[i]!])
  }
  const found = new Map([...groups].map(([name, group]) => [name, subsetAccuracy(group)]))
  return {
    metrics: rewardMetrics(scored),
    longer: longerAccuracy(scored),
    subsets: found,
    ...(found.size > 0 && { subset_mean: mean([...found.values()].map(({ accuracy }) => accuracy)) }),
  }
}

function subsetAccuracy(scored: readonly ScoredPair[]): SubsetAccuracy {
  const chosen = scored.map(pair => pair.chosenScore)
  const rejected = scored.map(pair => pair.rejectedScore)
  return {
    ...pairAccuracy(chosen, rejected),
    margin: mean(chosen.map((score, i) => score - rejected[i]!)),
    longer: longerAccuracy(scored).accuracy,
  }
}

const longerAccuracy = (scored: readonly ScoredPair[]) =>
  lengthAccuracy(
    scored.map(pair => pair.chosen.length),
    scored.map(pair => pair.rejected.length),
  )
