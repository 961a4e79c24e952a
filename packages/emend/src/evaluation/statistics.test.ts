import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  correlation,
  explainedVariance,
  histogram,
  mean,
  quantile,
  quantiles,
  standardDeviation,
  standardError,
  sum,
  variance,
} from './statistics.js'

describe('mean and spread', () => {
  // 2, 4, 4, 4, 5, 5, 7, 9: sum 40, mean 5, squares 9+1+1+1+0+0+4+16 = 32
  const values = [2, 4, 4, 4, 5, 5, 7, 9]

  it('by hand', () => {
    expect(mean(values)).toBe(5)
    expect(variance(values, 0)).toBe(4)
    expect(variance(values)).toBeCloseTo(32 / 7, 14)
    expect(standardDeviation(values, 0)).toBe(2)
    expect(standardError(values)).toBeCloseTo(Math.sqrt(32 / 7 / 8), 14)
  })

  it('has no mean of nothing and no spread of one value', () => {
    expect(mean([])).toBeNaN()
    expect(variance([3])).toBeNaN()
    expect(standardError([3])).toBeNaN()
    expect(variance([3], 0)).toBe(0)
  })

  it('does not lose small numbers beside large ones', () => {
    // In plain order 1 + 1e-16 rounds back to 1 each time; the true sum is 1 + 1e-12.
    expect(sum([1, ...new Array(10_000).fill(1e-16)])).toBeCloseTo(1 + 1e-12, 15)
    expect(variance([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16])).toBe(30) // mean 1e9+10; 36+9+9+36 = 90, / 3
  })
})

describe('quantile', () => {
  it('interpolates linearly (type 7)', () => {
    // Sorted 1 2 4 8: rank of p is 3p. p = 0.25 → rank 0.75 → 1 + 0.75·1; p = 0.9 → rank 2.7 → 4 + 0.7·4
    expect(quantiles([8, 1, 4, 2], [0, 0.25, 0.5, 0.9, 1])).toEqual([1, 1.75, 3, expect.closeTo(6.8, 12), 8])
    expect(quantile([], 0.5)).toBeNaN()
    expect(() => quantile([1], 1.1)).toThrow('p must be in [0, 1], got 1.1')
  })

  it('leaves its argument in order', () => {
    const values = [3, 1, 2]
    quantile(values, 0.5)
    expect(values).toEqual([3, 1, 2])
  })

  it('rises with p and stays between the extremes', () => {
    const numbers = fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1 })
    const share = fc.double({ noNaN: true, min: 0, max: 1 })
    fc.assert(
      fc.property(numbers, share, share, (xs, p, q) => {
        const [low, a, b, high] = quantiles(xs, [0, Math.min(p, q), Math.max(p, q), 1]) as [
          number,
          number,
          number,
          number,
        ]
        // + 0 makes 0 of −0.
        expect(low + 0).toBe(Math.min(...xs) + 0)
        expect(high + 0).toBe(Math.max(...xs) + 0)
        expect(a).toBeLessThanOrEqual(b + 1e-9)
      }),
    )
  })
})

describe('correlation', () => {
  it('by hand', () => {
    // x−2: −1 0 1; y−3: −2 1 1 → xy = 3, xx = 2, yy = 6 → 3/√12
    expect(correlation([1, 2, 3], [1, 4, 4])).toBeCloseTo(3 / Math.sqrt(12), 14)
    expect(correlation([1, 2, 3], [-2, -4, -6])).toBeCloseTo(-1, 14)
    expect(correlation([1, 2], [5, 5])).toBeNaN()
    expect(() => correlation([1], [1, 2])).toThrow('got 1 and 2')
  })
})

describe('explained variance', () => {
  it('by hand', () => {
    // returns 1 2 3 (var 2/3), values 1 1 3: errors 0 1 0 (mean 1/3, var 2/9) → 1 − (2/9)/(2/3) = 2/3
    expect(explainedVariance([1, 1, 3], [1, 2, 3])).toBeCloseTo(2 / 3, 14)
    expect(explainedVariance([7, 7, 7], [1, 2, 3])).toBeCloseTo(0, 14)
    expect(explainedVariance([1, 2, 3], [1, 2, 3])).toBe(1)
    expect(explainedVariance([3, 2, 1], [1, 2, 3])).toBeCloseTo(-3, 14) // errors −2 0 2, var 8/3; 1 − 4
    expect(explainedVariance([1, 2], [5, 5])).toBeNaN()
  })

  it('looks only at what the mask keeps', () => {
    expect(explainedVariance([1, 99, 1, 3], [1, -99, 2, 3], [1, 0, 1, 1])).toBeCloseTo(2 / 3, 14)
  })
})

describe('histogram', () => {
  it('puts a value on an edge into the bin on its right, and the last edge into the last bin', () => {
    expect(histogram([0, 0.5, 0.5, 1, 1.5, 2, -1, 3], [0, 0.5, 1, 2])).toEqual({
      edges: [0, 0.5, 1, 2],
      counts: [1, 2, 3],
      below: 1,
      above: 1,
    })
    expect(() => histogram([1], [0, 0])).toThrow('rising')
    expect(() => histogram([Number.NaN], [0, 1])).toThrow('value 0 is NaN')
  })

  it('counts every value once', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true })), xs => {
        const h = histogram(xs, [-2, -1, 0, 0.1, 5])
        expect(sum(h.counts) + h.below + h.above).toBe(xs.length)
      }),
    )
  })
})
