/** The small statistics everything in evaluation is built from: mean, spread, quantiles, correlation, explained variance. */

/** Anything that holds numbers in order: an array or a typed array. */
export type Numbers = ArrayLike<number>

/** Σ x. Kahan-compensated, so that a million float32 rewards add up as their float64 sum would. */
export function sum(values: Numbers): number {
  let total = 0
  let lost = 0
  for (let i = 0; i < values.length; i++) {
    const next = values[i]! - lost
    const grown = total + next
    lost = grown - total - next
    total = grown
  }
  return total
}

/** Arithmetic mean; NaN for no values. */
export function mean(values: Numbers): number {
  return values.length === 0 ? Number.NaN : sum(values) / values.length
}

/**
 * Variance, in two passes. `correction` is subtracted from n in the denominator: 1 (the default) is the unbiased sample
 * variance, 0 the biased one. NaN where the denominator is not positive (one value and correction 1).
 */
export function variance(values: Numbers, correction: 0 | 1 = 1): number {
  const n = values.length
  if (n - correction <= 0) return Number.NaN
  const center = mean(values)
  const squares = new Float64Array(n)
  for (let i = 0; i < n; i++) squares[i] = (values[i]! - center) ** 2
  return sum(squares) / (n - correction)
}

/** Standard deviation: the root of {@link variance}. */
export function standardDeviation(values: Numbers, correction: 0 | 1 = 1): number {
  return Math.sqrt(variance(values, correction))
}

/** Standard error of the mean: sample standard deviation / √n. NaN for fewer than two values: one value has no spread. */
export function standardError(values: Numbers): number {
  return standardDeviation(values) / Math.sqrt(values.length)
}

/**
 * Quantile with linear interpolation between order statistics (Hyndman & Fan type 7, numpy's default).
 * @param p in [0, 1]; 0 is the minimum, 0.5 the median, 1 the maximum
 * @returns NaN for no values
 */
export function quantile(values: Numbers, p: number): number {
  return quantiles(values, [p])[0]!
}

/** Several {@link quantile}s of the same values, sorted once. */
export function quantiles(values: Numbers, ps: readonly number[]): number[] {
  const sorted = Float64Array.from(values).sort()
  return ps.map(p => {
    if (!(p >= 0 && p <= 1)) throw new RangeError(`quantile: p must be in [0, 1], got ${p}`)
    if (sorted.length === 0) return Number.NaN
    const rank = p * (sorted.length - 1)
    const low = Math.floor(rank)
    const share = rank - low
    return share === 0 ? sorted[low]! : sorted[low]! * (1 - share) + sorted[low + 1]! * share
  })
}

/** Pearson's correlation of two equally long lists; NaN where either side is constant or there are fewer than two. */
export function correlation(x: Numbers, y: Numbers): number {
  sameLength('correlation', x, y)
  const [mx, my] = [mean(x), mean(y)]
  let [xy, xx, yy] = [0, 0, 0]
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [x[i]! - mx, y[i]! - my]
    xy += dx * dy
    xx += dx * dx
    yy += dy * dy
  }
  return xx === 0 || yy === 0 ? Number.NaN : xy / Math.sqrt(xx * yy)
}

/**
 * Explained variance of a value function: 1 − Var(returns − values) / Var(returns), both biased. 1 is perfect, 0 is as good
 * as a constant, below 0 worse than one. NaN where the returns do not vary.
 * @param mask 1 at real tokens; all are real where it is absent
 */
export function explainedVariance(values: Numbers, returns: Numbers, mask?: Numbers): number {
  sameLength('explainedVariance', values, returns)
  if (mask) sameLength('explainedVariance', values, mask)
  const kept: number[] = []
  const errors: number[] = []
  for (let i = 0; i < returns.length; i++) {
    if (mask && !mask[i]) continue
    kept.push(returns[i]!)
    errors.push(returns[i]! - values[i]!)
  }
  const total = variance(kept, 0)
  return total === 0 ? Number.NaN : 1 - variance(errors, 0) / total
}

/** Counts per bin. Bin i covers [edges[i], edges[i+1]); the last one includes its right edge. Values outside are counted. */
export interface Histogram {
  readonly edges: readonly number[]
  readonly counts: readonly number[]
  readonly below: number
  readonly above: number
}

/** Histogram over rising `edges`; nothing is dropped: what lies outside is counted in `below` and `above`. */
export function histogram(values: Numbers, edges: readonly number[]): Histogram {
  if (edges.length < 2 || edges.some((e, i) => i > 0 && !(e > edges[i - 1]!)))
    throw new RangeError(`histogram: edges must be at least two rising numbers, got [${edges.join(', ')}]`)
  const counts = new Array<number>(edges.length - 1).fill(0)
  let [below, above] = [0, 0]
  const last = edges[edges.length - 1]!
  for (let i = 0; i < values.length; i++) {
    const x = values[i]!
    if (Number.isNaN(x)) throw new RangeError(`histogram: value ${i} is NaN`)
    if (x < edges[0]!) below++
    else if (x > last) above++
    else if (x === last) counts[counts.length - 1]!++
    else {
      let low = 0
      let high = edges.length - 1
      while (high - low > 1) {
        const middle = (low + high) >> 1
        if (edges[middle]! <= x) low = middle
        else high = middle
      }
      counts[low]!++
    }
  }
  return { edges: [...edges], counts, below, above }
}

/** Throws where two lists that belong together differ in length. */
export function sameLength(what: string, a: Numbers, b: Numbers): void {
  if (a.length !== b.length)
    throw new RangeError(`${what}: both sides must be equally long, got ${a.length} and ${b.length}`)
}
