import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lengthAccuracy, lengthDirection, logprobAccuracy, pairAccuracy } from './pair-accuracy.js'

describe('pair accuracy', () => {
  it('by hand: two wins, one tie, one loss', () => {
    // 2.5 / 4 = 0.625; Wilson with z² = 3.841459: centre (0.625 + 0.480182) / 1.960365 = 0.563763,
    // half 1.959964·√(0.05859375 + 0.06002280) / 1.960365 = 0.344337
    const a = pairAccuracy([2, 1, 0, -1], [1, 1, -3, 4])
    expect(a).toMatchObject({ accuracy: 0.625, wins: 2, ties: 1, n: 4 })
    expect(a.interval[0]).toBeCloseTo(0.563763 - 0.344337, 5)
    expect(a.interval[1]).toBeCloseTo(0.563763 + 0.344337, 5)
  })

  it('names what cannot be compared', () => {
    expect(() => pairAccuracy([], [])).toThrow('no pairs')
    expect(() => pairAccuracy([1, Number.NaN], [0, 0])).toThrow('the score of pair 1 is NaN')
    expect(() => pairAccuracy([1], [0, 0])).toThrow('got 1 and 2')
  })

  it('of swapped sides is 1 minus it', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ max: 9 }), fc.integer({ max: 9 })), { minLength: 1 }), rows => {
        const [c, r] = [rows.map(x => x[0]), rows.map(x => x[1])]
        expect(pairAccuracy(r, c).accuracy).toBeCloseTo(1 - pairAccuracy(c, r).accuracy, 12)
      }),
    )
  })
})

describe('baselines', () => {
  const chosen = [5, 3, 8]
  const rejected = [6, 4, 8] // one tie, two shorter

  it('length', () => {
    expect(lengthAccuracy(chosen, rejected).accuracy).toBeCloseTo(0.5 / 3, 12)
    expect(lengthAccuracy(chosen, rejected, 'shorter').accuracy).toBeCloseTo(2.5 / 3, 12)
    expect(lengthDirection(chosen, rejected)).toBe('shorter')
    expect(lengthDirection([1], [1])).toBe('longer')
  })

  it('log-probability, whole or per token', () => {
    // −1 −1 −1 against −2: the sum −3 < −2 loses, the mean −1 > −2 wins
    const c = [Float32Array.of(-1, -1, -1)]
    const r = [Float32Array.of(-2)]
    expect(logprobAccuracy(c, r).accuracy).toBe(0)
    expect(logprobAccuracy(c, r, 'mean').accuracy).toBe(1)
  })
})
