/** How often the chosen side scores higher, and the baselines any reward model must beat: length and log-probability. */

import { type Interval, wilsonInterval } from './intervals.js'
import { mean, type Numbers, sameLength, sum } from './statistics.js'

/** Share of pairs whose chosen side scores higher. */
export interface PairAccuracy {
  /** (wins + ties / 2) / n */
  readonly accuracy: number
  /** Wilson's 95 % interval of `accuracy`, a tie counting as half a success. */
  readonly interval: Interval
  readonly wins: number
  readonly ties: number
  readonly n: number
}

/**
 * Pair accuracy, ties counting ½.
 * @param chosen one score per pair, any unit
 * @param rejected the other side's, same order
 * @throws RangeError for no pairs, different lengths, or a NaN score
 */
export function pairAccuracy(chosen: Numbers, rejected: Numbers): PairAccuracy {
  sameLength('pairAccuracy', chosen, rejected)
  const n = chosen.length
  if (n === 0) throw new RangeError('pairAccuracy: no pairs')
  let [wins, ties] = [0, 0]
  for (let i = 0; i < n; i++) {
    const [c, r] = [chosen[i]!, rejected[i]!]
    if (Number.isNaN(c) || Number.isNaN(r)) throw new RangeError(`pairAccuracy: the score of pair ${i} is NaN`)
    if (c > r) wins++
    else if (c === r) ties++
  }
  const successes = wins + ties / 2
  return { accuracy: successes / n, interval: wilsonInterval(successes, n), wins, ties, n }
}

/** Which side a scorer that sees nothing but length prefers. */
export type LengthDirection = 'longer' | 'shorter'

/** The direction that fits these pairs better (`longer` at equality). Fit it on training pairs, never on those reported. */
export function lengthDirection(chosen: Numbers, rejected: Numbers): LengthDirection {
  return pairAccuracy(chosen, rejected).accuracy >= 0.5 ? 'longer' : 'shorter'
}

/**
 * Length-only baseline: prefers the longer (or shorter) side.
 * @param chosen lengths of the chosen responses, in tokens; `rejected` those of the others
 */
export function lengthAccuracy(
  chosen: Numbers,
  rejected: Numbers,
  direction: LengthDirection = 'longer',
): PairAccuracy {
  return direction === 'longer' ? pairAccuracy(chosen, rejected) : pairAccuracy(rejected, chosen)
}

/**
 * Log-probability-only baseline: prefers the side that a policy (usually SFT) finds more likely.
 * @param chosen log-probabilities of the tokens of each chosen response, in nats
 * @param by `sum`: of the whole response, which favours short ones; `mean`: per token
 */
export function logprobAccuracy(
  chosen: readonly Numbers[],
  rejected: readonly Numbers[],
  by: 'sum' | 'mean' = 'sum',
): PairAccuracy {
  const total = by === 'sum' ? sum : mean
  return pairAccuracy(chosen.map(total), rejected.map(total))
}
