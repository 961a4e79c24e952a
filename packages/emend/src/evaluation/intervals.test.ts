import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { meanInterval, normalQuantile, tQuantile, tTwoSided, wilsonInterval } from './intervals.js'

describe('quantiles', () => {
  // Columns p = 0.9, 0.95, 0.975, 0.995: scipy.stats.t.ppf(p, df) of SciPy 1.17
  const table: Record<number, number[]> = {
    1: [3.0776835371752544, 6.313751514675037, 12.706204736174694, 63.656741162871526],
    2: [1.8856180831641272, 2.9199855803537242, 4.302652729749462, 9.924843200918287],
    3: [1.637744353696209, 2.3533634348018233, 3.1824463052837078, 5.840909309733355],
    4: [1.533206274058944, 2.1318467863266495, 2.7764451051977934, 4.604094871349992],
    7: [1.4149239276505086, 1.8945786050900062, 2.364624251592784, 3.4994832973504924],
    10: [1.372183641110336, 1.8124611228116756, 2.228138851986274, 3.16927267261695],
    31: [1.3094635494946454, 1.6955187825458649, 2.039513446396408, 2.744041919294269],
    399: [1.2836769219240642, 1.6486815335554255, 1.965927295920882, 2.588207164030976],
    804: [1.2826054153333115, 1.6467510611439151, 1.9629189419500712, 2.581958103199393],
  }

  it.each(Object.entries(table))('t with %s degrees of freedom', (df, row) => {
    for (const [i, p] of [0.9, 0.95, 0.975, 0.995].entries()) {
      expect(tQuantile(p, Number(df)) / row[i]!).toBeCloseTo(1, 10)
      expect(tQuantile(1 - p, Number(df)) / row[i]!).toBeCloseTo(-1, 10)
    }
  })

  it('normal', () => {
    // scipy.stats.norm.ppf
    expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 11)
    expect(normalQuantile(0.995)).toBeCloseTo(2.5758293035489004, 11)
    expect(normalQuantile(0.6)).toBeCloseTo(0.2533471031357997, 11)
    expect(normalQuantile(0.3)).toBeCloseTo(-0.5244005127080409, 11)
    expect(normalQuantile(0.001)).toBeCloseTo(-3.090232306167813, 11)
    expect(normalQuantile(0.5)).toBeCloseTo(0, 14)
  })

  it('two-sided p values', () => {
    expect(tTwoSided(1, 1)).toBeCloseTo(0.5, 14) // Cauchy: half of it lies beyond ±1
    expect(tTwoSided(-2.5, 4)).toBeCloseTo(0.06676654481198814, 13) // scipy
    expect(tTwoSided(3, 804)).toBeCloseTo(0.0027831530705318746, 13) // scipy
    expect(tTwoSided(0, 9)).toBe(1)
  })

  it('refuses what has no quantile', () => {
    expect(() => tQuantile(1, 3)).toThrow('p must be in (0, 1), got 1')
    expect(() => tQuantile(0.9, 0)).toThrow('df must be an integer of at least 1, got 0')
    expect(() => tQuantile(0.9, 2.5)).toThrow('got 2.5')
  })
})

describe('mean interval', () => {
  it('by hand: three seeds', () => {
    // 40 46 43: mean 43, deviations −3 3 0, variance 18/2 = 9, SE 3/√3 = √3; t(2, 0.975) = 4.3027
    const { mean, standard_error, interval, n } = meanInterval([40, 46, 43])
    expect([n, mean]).toEqual([3, 43])
    expect(standard_error).toBeCloseTo(Math.sqrt(3), 12)
    expect(interval[0]).toBeCloseTo(43 - 4.302652729749462 * Math.sqrt(3), 9)
    expect(interval[1]).toBeCloseTo(43 + 4.302652729749462 * Math.sqrt(3), 9)
  })

  it('claims nothing from one value', () => {
    expect(meanInterval([5])).toEqual({
      n: 1,
      mean: 5,
      standard_error: Number.NaN,
      interval: [Number.NaN, Number.NaN],
      level: 0.95,
    })
    expect(() => meanInterval([])).toThrow('no values')
  })
})

describe('Wilson', () => {
  it.each([
    // scipy.stats.binomtest(k, n).proportion_ci(method='wilson')
    [8, 10, 0.4901624715366418, 0.9433178485456248],
    [0, 10, 0, 0.27753279986288926],
    [205, 805, 0.22577668081918886, 0.2858705082654095],
  ])('%i of %i', (k, n, low, high) => {
    const interval = wilsonInterval(k, n)
    expect(interval[0]).toBeCloseTo(low, 12)
    expect(interval[1]).toBeCloseTo(high, 12)
  })

  it('holds the share, stays in [0, 1], and mirrors', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, share) => {
        const k = Math.round(share * n * 2) / 2
        const [low, high] = wilsonInterval(k, n)
        expect(low).toBeGreaterThanOrEqual(0)
        expect(high).toBeLessThanOrEqual(1)
        expect(low).toBeLessThanOrEqual(k / n)
        expect(high).toBeGreaterThanOrEqual(k / n)
        const mirrored = wilsonInterval(n - k, n)
        expect(mirrored[0]).toBeCloseTo(1 - high, 12)
        expect(mirrored[1]).toBeCloseTo(1 - low, 12)
      }),
    )
  })

  it('names what is wrong', () => {
    expect(() => wilsonInterval(3, 2)).toThrow('successes must be in [0, 2], got 3')
    expect(() => wilsonInterval(0, 0)).toThrow('n must be at least 1, got 0')
  })
})
