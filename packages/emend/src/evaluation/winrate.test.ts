import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatWinRate, winRate, winScores } from './winrate.js'

describe('win rate', () => {
  it('by hand', () => {
    // Scores 0 1 1 ½ ½: mean 0.6; deviations² 0.36 0.16 0.16 0.01 0.01 = 0.7; variance 0.7/4; SE √(0.175/5) = √0.035
    expect(winRate([1, 2, 2, 0, 1.5], ['a', 'bb', 'cc', 'd', 'ee'])).toEqual({
      win_rate: expect.closeTo(60, 12),
      standard_error: expect.closeTo(100 * Math.sqrt(0.035), 12),
      n_wins: 2,
      n_wins_base: 1,
      n_draws: 2,
      n_total: 5,
      n_unjudged: 0,
      discrete_win_rate: 60, // (2 + 2/2) / 5
      avg_length: 1, // 8 / 5, truncated
    })
  })

  it('leaves out what was not judged, and says so', () => {
    // Scores 0 1 1: mean 2/3; with two draws more (0 + 1 + 1 + ½ + ½) / 5. The length is that of all five outputs.
    expect(winRate([1, null, 2, 2, null], ['aaaa', 'b', 'c', 'd', 'eee'])).toMatchObject({
      win_rate: expect.closeTo(200 / 3, 12),
      n_total: 3,
      n_unjudged: 2,
      win_rate_unjudged_as_draws: expect.closeTo(60, 12),
      avg_length: 2,
    })
  })

  it('measures lengths in code points', () => {
    expect(winRate([2], ['🙂👩‍🚀e\u0301']).avg_length).toBe(6) // 1 + (woman, joiner, rocket) + (e, accent)
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
    expect(formatWinRate(winRate([1, 2, 2, 0, 0]))).toBe('60.0 ± 18.7 (n = 5)')
  })

  it('refuses what is no preference', () => {
    expect(() => winRate([])).toThrow('no preferences')
    expect(() => winRate([null, null])).toThrow('no preferences: 2 are null')
    expect(() => winRate([1, 3])).toThrow('preference 1 must be 0, null or in [1, 2], got 3')
    expect(() => winRate([Number.NaN])).toThrow('got NaN')
    expect(() => winRate([0.5])).toThrow('got 0.5')
    expect(() => winRate([1, 2], ['only one'])).toThrow('got 2 preferences but 1 outputs')
  })

  const preferences = fc
    .array(fc.oneof(fc.constantFrom<number | null>(0, 1, 1.5, 2, null), fc.double({ min: 1, max: 2, noNaN: true })), {
      minLength: 2,
      maxLength: 60,
    })
    .filter(ps => ps.filter(p => p !== null).length > 1)

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
    expect([...winScores([1, 2, 0, null, 1.25])]).toEqual([0, 1, 0.5, Number.NaN, 0.25])
  })
})
