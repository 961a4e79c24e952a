import { describe, expect, it } from 'vitest'
import { constant, cosine, linear } from './schedules.js'

const steps = (schedule: (step: number) => number, n: number) => Array.from({ length: n }, (_, step) => schedule(step))

describe('schedules', () => {
  it('constant climbs, then stays', () => {
    expect(steps(constant(), 2)).toEqual([1, 1])
    expect(steps(constant({ warmup: 4 }), 6)).toEqual([0.25, 0.5, 0.75, 1, 1, 1])
  })

  it('linear falls on a line, by hand', () => {
    expect(steps(linear({ total: 4 }), 6)).toEqual([1, 0.75, 0.5, 0.25, 0, 0])
    expect(steps(linear({ warmup: 2, total: 6, floor: 0.5 }), 8)).toEqual([0.5, 1, 1, 0.875, 0.75, 0.625, 0.5, 0.5])
  })

  it('cosine falls on half a wave, by hand', () => {
    const wave = steps(cosine({ warmup: 2, total: 6 }), 8)
    // (1 + cos(π k/4)) / 2 for k = 0 … 3
    const expected = [0.5, 1, 1, (1 + Math.SQRT1_2) / 2, 0.5, (1 - Math.SQRT1_2) / 2, 0, 0]
    for (const [i, value] of expected.entries()) expect(wave[i]).toBeCloseTo(value, 12)
    expect(cosine({ total: 10, floor: 0.1 })(5)).toBeCloseTo(0.55, 12)
  })

  it('refuses what makes no schedule', () => {
    expect(() => linear({ warmup: 5, total: 4 })).toThrow('schedule linear: warmup 5 exceeds total 4')
    expect(() => cosine({ total: 2.5 })).toThrow(
      'schedule cosine: total: got 2.5, expected a whole number of at least 0',
    )
    expect(() => linear({ total: 3, floor: -1 })).toThrow('schedule linear: floor: got -1, expected 0 to 1')
  })

  it('survives a warm-up that is all there is', () => {
    expect(steps(linear({ warmup: 2, total: 2, floor: 0.5 }), 4)).toEqual([0.5, 1, 0.5, 0.5])
  })
})
