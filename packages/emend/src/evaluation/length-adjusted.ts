/** A win rate as it might be if both outputs were equally long: a logistic regression on the difference of lengths. */

import { standardDeviation } from './statistics.js'
import { codePoints, type Preference, winScores } from './winrate.js'

/** A win rate at equal lengths, in percent. */
export interface LengthAdjusted {
  readonly win_rate: number
  /** By the delta method from the robust (sandwich) covariance of the fit. */
  readonly standard_error: number
  /** The log-odds that a much shorter reference gives the model: below 0 the judge likes length. */
  readonly slope: number
}

/** What is compared: outputs and the judgement. */
export interface JudgedOutputs {
  readonly output_1: string
  readonly output_2: string
  readonly preference: Preference
}

/**
 * Fits P(output_2 wins) = σ(a + b · tanh(Δ/s)), Δ = length of output_1 − length of output_2 in code points, s = standard deviation of Δ
 * over all prompts, and reads it at Δ = 0. This is the formula that AlpacaEval's code calls `length_controlled_minimal`, fitted
 * without its L1 penalty. It is **not** the length-controlled win rate of AlpacaEval 2's leaderboard, which also knows how hard each
 * of its own 805 instructions is (Dubois et al. 2024, arXiv 2404.04475). Fractional preferences enter as they are (Papke & Wooldridge
 * 1996).
 *
 * @returns undefined where it cannot be told: fewer than three judgements, all differences equal, or a fit without a finite optimum
 */
export function lengthAdjusted(games: readonly JudgedOutputs[]): LengthAdjusted | undefined {
  const deltas = games.map(({ output_1, output_2 }) => codePoints(output_1) - codePoints(output_2))
  const spread = standardDeviation(deltas)
  const scores = winScores(games.map(({ preference }) => preference))
  const rows = deltas
    .map((delta, i): Row => [Math.tanh(delta / spread), scores[i]!])
    .filter(([, score]) => !Number.isNaN(score))
  if (!(spread > 0) || rows.length < 3) return undefined
  const fit = newton(rows)
  if (!fit) return undefined
  const { a, b } = fit
  // Robust covariance A⁻¹ B A⁻¹, of which only the variance of `a` is wanted.
  const [aa, ab, bb] = information(rows, a, b)
  const determinant = aa * bb - ab * ab
  let variance = 0
  for (const [x, y] of rows) variance += (((bb - ab * x) / determinant) * (y - logistic(a + b * x))) ** 2
  const p = logistic(a)
  return { win_rate: 100 * p, standard_error: 100 * p * (1 - p) * Math.sqrt(variance), slope: b }
}

type Row = readonly [x: number, y: number]

const logistic = (z: number) => 1 / (1 + Math.exp(-z))

/** The maximum of the quasi-likelihood; undefined where it runs off to infinity, as it does when the classes are separable. */
function newton(rows: readonly Row[]): { a: number; b: number } | undefined {
  let [a, b] = [0, 0]
  for (let step = 0; step < 100; step++) {
    let [ga, gb] = [0, 0]
    for (const [x, y] of rows) {
      const error = y - logistic(a + b * x)
      ga += error
      gb += error * x
    }
    const [aa, ab, bb] = information(rows, a, b)
    const determinant = aa * bb - ab * ab
    if (!(determinant > 1e-10)) return undefined
    const [da, db] = [(bb * ga - ab * gb) / determinant, (aa * gb - ab * ga) / determinant]
    a += da
    b += db
    if (!(Math.abs(a) + Math.abs(b) < 50)) return undefined
    if (Math.abs(da) + Math.abs(db) < 1e-12) return { a, b }
  }
  return undefined
}

/** Σ p(1 − p) · [1, x, x²] */
function information(rows: readonly Row[], a: number, b: number): [aa: number, ab: number, bb: number] {
  let [aa, ab, bb] = [0, 0, 0]
  for (const [x] of rows) {
    const p = logistic(a + b * x)
    const w = p * (1 - p)
    aa += w
    ab += w * x
    bb += w * x * x
  }
  return [aa, ab, bb]
}
