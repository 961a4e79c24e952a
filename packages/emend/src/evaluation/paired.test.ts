import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { acrossSeeds, pairedComparison } from './paired.js'

describe('paired comparison', () => {
  it('by hand', () => {
    // Differences 1 0 1 0.5 0.5: mean 0.6, deviations² 0.16 0.36 0.16 0.01 0.01 = 0.7; SE = √(0.175/5) = 0.187083
    // t = 3.207135, t(4, 0.975) = 2.776445 → 0.6 ± 0.519426; p = 0.0327 (scipy.stats.ttest_rel)
    const c = pairedComparison([1, 0, 1, 1, 0.5], [0, 0, 0, 0.5, 0])
    expect(c.n).toBe(5)
    expect(c.mean).toBeCloseTo(0.6, 12)
    expect(c.standard_error).toBeCloseTo(Math.sqrt(0.035), 12)
    expect(c.t).toBeCloseTo(0.6 / Math.sqrt(0.035), 12)
    expect(c.interval[0]).toBeCloseTo(0.6 - 2.7764451051977934 * Math.sqrt(0.035), 9)
    expect(c.interval[1]).toBeCloseTo(0.6 + 2.7764451051977934 * Math.sqrt(0.035), 9)
    expect(c.p).toBeCloseTo(0.03268, 5)
    expect(c.verdict).toBe('above')
  })

  it('is narrower than two separate errors where prompts are hard for both', () => {
    // Differences are all 0.1 though the scores range over 0…0.9: no spread is left.
    const b = [0, 0.3, 0.6, 0.9]
    const c = pairedComparison(
      b.map(x => x + 0.125),
      b,
    )
    expect(c.mean).toBeCloseTo(0.125, 12)
    expect(c.standard_error).toBeCloseTo(0, 12)
    expect(c.verdict).toBe('above')
  })

  it('finds nothing between equal arms, and nothing in one prompt', () => {
    expect(pairedComparison([1, 0, 1], [1, 0, 1])).toMatchObject({ mean: 0, t: 0, p: 1, verdict: 'open' })
    expect(pairedComparison([2, 2], [1, 1])).toMatchObject({ t: Number.POSITIVE_INFINITY, p: 0, verdict: 'above' })
    expect(pairedComparison([1], [0])).toMatchObject({
      mean: 1,
      standard_error: Number.NaN,
      p: Number.NaN,
      verdict: 'open',
    })
    expect(() => pairedComparison([1], [1, 2])).toThrow('the same prompts, got 1 and 2')
    expect(() => pairedComparison([], [])).toThrow('no values')
  })

  it('turns its sign when the arms change places', () => {
    const score = fc.integer({ min: 0, max: 4 }).map(x => x / 4)
    fc.assert(
      fc.property(fc.array(fc.tuple(score, score), { minLength: 2, maxLength: 40 }), rows => {
        const a = rows.map(r => r[0])
        const b = rows.map(r => r[1])
        const there = pairedComparison(a, b)
        const back = pairedComparison(b, a)
        expect(back.mean).toBeCloseTo(-there.mean, 12)
        expect(back.interval[0]).toBeCloseTo(-there.interval[1], 9)
        expect(back.p).toBeCloseTo(there.p, 9)
        expect(there.p < 0.05).toBe(there.verdict !== 'open') // the test and the interval agree
      }),
    )
  })
})

describe('across seeds', () => {
  it('by hand', () => {
    const s = acrossSeeds([50, 54, 52, 48, 56]) // mean 52, squares 4+4+0+16+16 = 40, variance 10, SE √2
    expect(s.mean).toBe(52)
    expect(s.standard_error).toBeCloseTo(Math.SQRT2, 12)
    expect(s.interval[1]).toBeCloseTo(52 + 2.7764451051977934 * Math.SQRT2, 9)
    expect(s.values).toEqual([50, 54, 52, 48, 56])
  })
})
