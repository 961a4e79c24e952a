import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readAnnotations } from '../data/preferences.js'
import { testData } from '../text/test-data.js'
import { formatWinRate, winRate, winScores } from './winrate.js'

describe('win rate', () => {
  it('by hand', () => {
    // Scores 0 1 1 ½ ½: mean 0.6; deviations² 0.36 0.16 0.16 0.01 0.01 = 0.7; variance 0.7/4; SE √(0.175/5) = √0.035
    expect(winRate([1, 2, 2, 0, null], ['a', 'bb', 'cc', 'd', 'ee'])).toEqual({
      win_rate: expect.closeTo(60, 12),
      standard_error: expect.closeTo(100 * Math.sqrt(0.035), 12),
      n_wins: 2,
      n_wins_base: 1,
      n_draws: 2,
      n_total: 5,
      discrete_win_rate: 60, // (2 + 2/2) / 5
      avg_length: 1, // 8 / 5, truncated
    })
  })

  it('takes fractions as chances, and counts them whole in the discrete rate', () => {
    // Scores 0.9 0.2 0.5 0.8: mean 0.6; deviations² 0.09 0.16 0.01 0.04 = 0.3; SE √(0.1/4)
    const w = winRate([1.9, 1.2, 1.5, 1.8])
    expect(w.win_rate).toBeCloseTo(60, 12)
    expect(w.standard_error).toBeCloseTo(100 * Math.sqrt(0.025), 12)
    expect([w.n_wins, w.n_wins_base, w.n_draws]).toEqual([2, 1, 1])
    expect(w.discrete_win_rate).toBe(62.5)
    expect(w).not.toHaveProperty('avg_length')
  })

  it('says that one prompt has no standard error', () => {
    expect(winRate([2]).standard_error).toBeNaN()
    expect(formatWinRate(winRate([2]))).toBe('100.0 (n = 1: no standard error from one prompt)')
    expect(formatWinRate(winRate([1, 2, 2, 0, null]))).toBe('60.0 ± 18.7 (n = 5)')
  })

  it('refuses what is no preference', () => {
    expect(() => winRate([])).toThrow('no preferences')
    expect(() => winRate([1, 3])).toThrow('preference 1 must be 0, null or in [1, 2], got 3')
    expect(() => winRate([Number.NaN])).toThrow('got NaN')
    expect(() => winRate([0.5])).toThrow('got 0.5')
    expect(() => winRate([1, 2], ['only one'])).toThrow('got 2 preferences but 1 outputs')
  })

  const preferences = fc.array(
    fc.oneof(fc.constantFrom<number | null>(0, 1, 1.5, 2, null), fc.double({ min: 1, max: 2, noNaN: true })),
    { minLength: 2, maxLength: 60 },
  )

  it('of swapped outputs is 100 minus it, with the same standard error', () => {
    fc.assert(
      fc.property(preferences, ps => {
        const a = winRate(ps)
        const b = winRate(ps.map(p => (p ? 3 - p : p)))
        expect(b.win_rate).toBeCloseTo(100 - a.win_rate, 9)
        expect(b.discrete_win_rate).toBeCloseTo(100 - a.discrete_win_rate, 9)
        expect(b.standard_error).toBeCloseTo(a.standard_error, 9)
        expect([b.n_wins, b.n_wins_base, b.n_draws]).toEqual([a.n_wins_base, a.n_wins, a.n_draws])
        expect(a.n_wins + a.n_wins_base + a.n_draws).toBe(a.n_total)
      }),
    )
  })

  it('is the mean of the scores a paired comparison takes', () => {
    expect([...winScores([1, 2, 0, null, 1.25])]).toEqual([0, 1, 0.5, 0.5, 0.25])
  })
})

const file = testData('alpaca-eval', 'alpaca-7b.annotations.json')
describe.skipIf(!file)(`AlpacaEval's published row for alpaca-7b`, () => {
  it('is reproduced from its annotations', async () => {
    const { annotations } = await readAnnotations(file!)
    expect(
      winRate(
        annotations.map(a => a.preference),
        annotations.map(a => a.output_2),
      ),
    ).toEqual({
      win_rate: expect.closeTo(26.459627329192543, 9),
      standard_error: expect.closeTo(1.535711469748, 9),
      n_wins: 205,
      n_wins_base: 584,
      n_draws: 16,
      n_total: 805,
      discrete_win_rate: expect.closeTo(26.459627329192543, 9), // no fractions: (205 + 8) / 805
      avg_length: 396,
    })
  })
})
