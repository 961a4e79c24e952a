/** Paired comparison of two arms on the same prompts, and over seeds. */

import { type Interval, type MeanInterval, meanInterval, tTwoSided } from './intervals.js'
import type { Numbers } from './statistics.js'

/** Difference a − b of two arms that answered the same prompts. */
export interface PairedComparison extends MeanInterval {
  /** t statistic, mean / standard_error. */
  readonly t: number
  /** Two-sided p value of the paired t test. */
  readonly p: number
  /** Where the interval lies: `above` or `below` 0, `open` if it holds 0 or there are fewer than two prompts. */
  readonly verdict: 'above' | 'below' | 'open'
}

/**
 * Paired t comparison of two arms, item by item: a's score minus b's on the same prompt. The interval is Student's t with
 * n − 1 degrees of freedom. Pairing takes out what makes a prompt hard for both arms, so it is narrower than two separate
 * standard errors suggest.
 * @param a scores of one arm, one per prompt (such as `winScores`), any unit; the result has the same unit
 * @param b scores of the other arm, same prompts, same order
 */
export function pairedComparison(a: Numbers, b: Numbers, level = 0.95): PairedComparison {
  if (a.length !== b.length)
    throw new RangeError(`pairedComparison: both arms must answer the same prompts, got ${a.length} and ${b.length}`)
  const result = meanInterval(
    Float64Array.from({ length: a.length }, (_, i) => a[i]! - b[i]!),
    level,
  )
  const { mean, standard_error, n, interval } = result
  // Equal differences everywhere leave no spread: 0 / 0 would be NaN where the arms are simply equal.
  const t = standard_error === 0 ? (mean === 0 ? 0 : Math.sign(mean) * Number.POSITIVE_INFINITY) : mean / standard_error
  const p = n === 1 ? Number.NaN : tTwoSided(t, n - 1)
  return { ...result, t, p, verdict: verdict(interval) }
}

/** One arm's or one difference's figures over seeds. */
export interface AcrossSeeds extends MeanInterval {
  /** The value of every seed, in the order given. */
  readonly values: readonly number[]
}

/**
 * Mean ± standard error over seeds with Student's t interval (n − 1 degrees of freedom). This is the primary uncertainty
 * of an experiment: the standard error over prompts alone holds the trained model fixed and understates.
 * @param values one figure per seed, such as a win rate, or a difference of two arms trained from the same seed
 */
export function acrossSeeds(values: Numbers, level = 0.95): AcrossSeeds {
  return { ...meanInterval(values, level), values: Array.from(values) }
}

function verdict([low, high]: Interval): PairedComparison['verdict'] {
  return low > 0 ? 'above' : high < 0 ? 'below' : 'open'
}
