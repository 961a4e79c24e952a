import { describe, expect, it } from 'vitest'
import { Draws } from './random.js'

describe('Draws', () => {
  it('depends on the key and the counter alone', () => {
    const of = (...key: (string | number)[]) => {
      const draws = new Draws(...key)
      return Array.from({ length: 5 }, () => draws.next())
    }
    expect(of('a', 1)).toEqual(of('a', 1))
    const keys = [of('a', 1), of('a', 2), of('a', '1'), of('b', 1), of('a'), of(1, 'a'), of('a', 1, 0), of('a', 0.1)]
    expect(new Set(keys.map(k => k[0])).size).toBe(keys.length)
  })

  it('is uniform: chi-squared over 16 bins below its 99.9 % quantile, within a stream and across keys', () => {
    const chi = (next: (i: number) => number) => {
      const n = 32_000
      const bins = new Array<number>(16).fill(0)
      for (let i = 0; i < n; i++) bins[Math.floor(next(i) * 16)]!++
      return bins.reduce((s, b) => s + (b - n / 16) ** 2 / (n / 16), 0)
    }
    const stream = new Draws('uniform')
    expect(chi(() => stream.next())).toBeLessThan(37.7)
    expect(chi(i => new Draws('uniform', i).next())).toBeLessThan(37.7)
  })

  it('draws in proportion to weights and never a weight of zero', () => {
    const draws = new Draws('weights')
    const counts = [0, 0, 0, 0]
    for (let i = 0; i < 10_000; i++) counts[draws.weighted([1, 0, 3, 0])]!++
    expect(counts[1]! + counts[3]!).toBe(0)
    // 2,500 expected, standard deviation 43
    expect(Math.abs(counts[0]! - 2_500)).toBeLessThan(180)
  })

  it('shuffles into every order', () => {
    const seen = new Set(Array.from({ length: 200 }, (_, i) => new Draws(i).shuffle([1, 2, 3]).join('')))
    expect(seen.size).toBe(6)
  })

  it('says what is wrong with an empty list', () => {
    expect(() => new Draws(1).pick([])).toThrow(/empty list/)
  })
})
