import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { auroc, textAuroc } from './auroc.js'

/** By its definition: every positive against every negative. */
function byPairs(scores: readonly number[], positive: readonly number[]): number {
  let [won, all] = [0, 0]
  for (const [i, a] of scores.entries())
    for (const [j, b] of scores.entries())
      if (positive[i] && !positive[j]) {
        all++
        won += a > b ? 1 : a === b ? 0.5 : 0
      }
  return won / all
}

const rows = fc.array(fc.tuple(fc.integer({ min: -5, max: 5 }), fc.constantFrom(0, 1)), { maxLength: 50 })
const both = rows.filter(r => r.some(x => x[1]) && r.some(x => !x[1]))

describe('AUROC', () => {
  it('by hand', () => {
    // Positives 3 and 1 against negatives 1 and 0: 3>1, 3>0, 1=1 (½), 1>0 → 3.5 / 4
    expect(auroc([3, 1, 1, 0], [1, 1, 0, 0])).toBe(0.875)
    expect(auroc([1, 2], [0, 1])).toBe(1)
    expect(auroc([1, 2], [1, 0])).toBe(0)
    expect(auroc([7, 7, 7], [1, 0, 0])).toBe(0.5)
    expect(auroc(Float32Array.of(0.1, 0.4, 0.35, 0.8), Uint8Array.of(0, 0, 1, 1))).toBe(0.75) // scikit-learn's example
    expect(auroc([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY], [0, 1, 0])).toBe(0.75)
  })

  it('does not exist without both classes, and not of NaN', () => {
    expect(auroc([1, 2], [1, 1])).toBeNaN()
    expect(auroc([1, 2], [0, 0])).toBeNaN()
    expect(auroc([], [])).toBeNaN()
    expect(() => auroc([1, Number.NaN], [0, 1])).toThrow('score 1 is NaN')
    expect(() => auroc([1], [0, 1])).toThrow('got 1 and 2')
  })

  it('equals its definition over pairs', () => {
    fc.assert(
      fc.property(both, r => {
        const [s, p] = [r.map(x => x[0]), r.map(x => x[1])]
        expect(auroc(s, p)).toBeCloseTo(byPairs(s, p), 12)
      }),
    )
  })

  it('is unchanged by rising maps; −s and swapped classes give 1 minus it', () => {
    fc.assert(
      fc.property(both, r => {
        const [s, p] = [r.map(x => x[0]), r.map(x => x[1])]
        const a = auroc(s, p)
        const rising = s.map(x => Math.exp(x) * 3 - 7)
        expect(auroc(rising, p)).toBe(a)
        const negated = s.map(x => -x)
        expect(auroc(negated, p)).toBeCloseTo(1 - a, 12)
        const swapped = p.map(x => 1 - x)
        expect(auroc(s, swapped)).toBeCloseTo(1 - a, 12)
      }),
    )
  })
})

describe('AUROC over texts', () => {
  it('averages the texts that have both classes, and pools all', () => {
    // Text 1: 1 of 1 pairs → 1. Text 2: none. Text 3 has no positive.
    // Pooled: positives 2, 10; negatives 1, 11, 3 → 2>1; 10>1, 10>3 → 3 of 6
    const result = textAuroc([
      { scores: [2, 1], positive: [1, 0] },
      { scores: [10, 11], positive: [1, 0] },
      { scores: [3], positive: [0] },
    ])
    expect(result).toEqual({ per_text: 0.5, pooled: 0.5, texts_with_both: 2, texts: 3, positives: 2, negatives: 3 })
  })

  it('a level of its own for every text hurts only the pooled one', () => {
    // Each text ranks its own rightly, but text 2 sits below text 1: positives 12, 2; negatives 11, 1 → 12>11,1; 2>1 = 3/4
    expect(
      textAuroc([
        { scores: [12, 11], positive: [1, 0] },
        { scores: [2, 1], positive: [1, 0] },
      ]),
    ).toMatchObject({ per_text: 1, pooled: 0.75 })
  })

  it('says NaN where nothing can be told', () => {
    expect(textAuroc([])).toMatchObject({ per_text: Number.NaN, pooled: Number.NaN, texts: 0 })
  })
})
