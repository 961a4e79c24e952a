/** AlpacaEval's win-rate statistics from a list of preferences. */

import { mean, standardError } from './statistics.js'

/**
 * A judgement of two outputs: 1 = output_1 (the reference) wins, 2 = output_2 (the model) wins, fractions between, 1.5 a
 * draw, which older files write as 0. null: the judge gave none that can be read.
 */
export type Preference = number | null

/** The row AlpacaEval prints for a model (output_2) against a reference (output_1). Rates are in percent. */
export interface WinRate {
  /** mean(preference − 1) · 100 */
  readonly win_rate: number
  /** Sample standard deviation of (preference − 1) / √n · 100, over prompts. NaN for n = 1. */
  readonly standard_error: number
  /** Preferences above 1.5: the model wins. */
  readonly n_wins: number
  /** Preferences below 1.5: the reference wins. */
  readonly n_wins_base: number
  readonly n_draws: number
  /** Judgements; those that the judge did not give are not among them. */
  readonly n_total: number
  /** (n_wins + n_draws / 2) / n_total · 100 */
  readonly discrete_win_rate: number
  /** Preferences that are null. AlpacaEval leaves them out of every figure above, and so do we; but we say how many. */
  readonly n_unjudged: number
  /** The win rate if each missing judgement were a draw; only where some are missing. */
  readonly win_rate_unjudged_as_draws?: number
  /** Mean length of all outputs of the model in code points (as Python counts), truncated to a whole number as AlpacaEval does. */
  readonly avg_length?: number
}

/**
 * Win rate of output_2 with the statistics of AlpacaEval's leaderboard (its `get_winrate`): 0 is a draw, null is left out.
 * @param outputs the model's texts in the same order, for `avg_length`
 * @throws RangeError for no judgement, or one that is neither 0, null nor in [1, 2]
 */
export function winRate(preferences: readonly Preference[], outputs?: readonly string[]): WinRate {
  if (outputs && outputs.length !== preferences.length)
    throw new RangeError(`winRate: got ${preferences.length} preferences but ${outputs.length} outputs`)
  const scores = winScores(preferences).filter(score => !Number.isNaN(score))
  const n = scores.length
  if (n === 0)
    throw new RangeError(`winRate: no preferences${preferences.length > 0 ? `: ${preferences.length} are null` : ''}`)
  const wins = scores.filter(score => score > 0.5).length
  const losses = scores.filter(score => score < 0.5).length
  const draws = n - wins - losses
  const unjudged = preferences.length - n
  const rate = mean(scores) * 100
  return {
    win_rate: rate,
    standard_error: standardError(scores) * 100,
    n_wins: wins,
    n_wins_base: losses,
    n_draws: draws,
    n_total: n,
    discrete_win_rate: ((wins + draws / 2) / n) * 100,
    n_unjudged: unjudged,
    ...(unjudged > 0 && { win_rate_unjudged_as_draws: (rate * n + 50 * unjudged) / preferences.length }),
    ...(outputs && { avg_length: Math.trunc(mean(outputs.map(codePoints))) }),
  }
}

/** preference − 1, the chance that output_2 wins, with 0 as ½: what a paired comparison of two arms takes. NaN for null. */
export function winScores(preferences: readonly Preference[]): Float64Array {
  return Float64Array.from(preferences, asScore)
}

/** Characters as Python counts them: AlpacaEval's lengths are of its strings. */
export function codePoints(text: string): number {
  let n = 0
  for (const _ of text) n++
  return n
}

/** One line for people: `26.5 ± 1.5 (n = 805)`; for one prompt it says that there is no standard error. */
export function formatWinRate(w: WinRate): string {
  const error = w.n_total === 1 ? 'no standard error from one prompt' : `± ${w.standard_error.toFixed(1)}`
  return w.n_total === 1
    ? `${w.win_rate.toFixed(1)} (n = 1: ${error})`
    : `${w.win_rate.toFixed(1)} ${error} (n = ${w.n_total})`
}

function asScore(preference: Preference, i: number): number {
  if (preference === null) return Number.NaN
  if (preference === 0) return 0.5
  if (typeof preference === 'number' && preference >= 1 && preference <= 2) return preference - 1
  throw new RangeError(`winRate: preference ${i} must be 0, null or in [1, 2], got ${preference}`)
}
