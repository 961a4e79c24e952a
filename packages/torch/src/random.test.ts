import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { hash32, permutation, randomNormal, randomUniform, threefry, uniform } from './random.js'

// Made by goldens/threefry.py, an independent implementation checked against the authors' known-answer vectors.
const golden = JSON.parse(readFileSync(new URL('../goldens/threefry.json', import.meta.url), 'utf8')) as {
  known: [[number, number], [number, number], [number, number]][]
  hash32: [number[], number][]
  uniform: [number[], number][]
  normal: [number[], number[]][]
}

describe('random', () => {
  it('is Threefry-2x32-20: the known-answer vectors of Random123', () => {
    const out = new Uint32Array(2)
    for (const [key, counter, words] of golden.known) {
      threefry(...key, ...counter, out)
      expect([...out]).toEqual(words)
    }
  })

  it('gives the fixed vectors for keys of every length and sign', () => {
    for (const [key, value] of golden.hash32) expect(hash32(...key)).toBe(value)
    for (const [key, value] of golden.uniform) expect(uniform(...key)).toBe(value)
    for (const [key, values] of golden.normal) {
      const drawn = randomNormal(key, values.length)
      for (const [i, value] of values.entries()) expect(drawn[i]).toBeCloseTo(value, 6)
    }
  })

  it('draws element i of a key as the uniform number of the key and i, whatever the length of the draw', () => {
    const long = randomUniform([5, 9], 100)
    expect([...randomUniform([5, 9], 10)]).toEqual([...long.slice(0, 10)])
    expect(long[77]).toBe(uniform(5, 9, 77))
    expect([...randomNormal([3], 7)]).toEqual([...randomNormal([3], 8).slice(0, 7)])
  })

  it('has the moments of its distributions', () => {
    const n = 200_000
    const moments = (numbers: ArrayLike<number>) => {
      let sum = 0
      let squares = 0
      for (let i = 0; i < n; i++) {
        sum += numbers[i]!
        squares += numbers[i]! ** 2
      }
      return [sum / n, squares / n] as const
    }
    const [mean, square] = moments(randomUniform([1], n)) // 1/2 and 1/3; standard errors 6e-4 and 7e-4
    expect(Math.abs(mean - 1 / 2)).toBeLessThan(4 * 6.5e-4)
    expect(Math.abs(square - 1 / 3)).toBeLessThan(4 * 6.7e-4)
    const [zero, one] = moments(randomNormal([1], n)) // 0 and 1; standard errors 2.2e-3 and 3.2e-3
    expect(Math.abs(zero)).toBeLessThan(4 * 2.3e-3)
    expect(Math.abs(one - 1)).toBeLessThan(4 * 3.2e-3)
  })

  it('changes half of the bits when one bit of one key changes', () => {
    let changed = 0
    for (let seed = 0; seed < 2000; seed++) {
      let difference = hash32(seed, 7) ^ hash32(seed ^ 1, 7)
      for (; difference !== 0; difference &= difference - 1) changed++
    }
    expect(changed / 2000).toBeGreaterThan(15.5)
    expect(changed / 2000).toBeLessThan(16.5)
  })

  it('permutes: every number once, another order for another key', () => {
    const order = permutation([4], 1000)
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    expect([...permutation([4], 1000)]).toEqual([...order])
    expect([...permutation([5], 1000)]).not.toEqual([...order])
    // Each of the six orders of three comes up 1000 times of 6000; the standard error is √(6000 · 1/6 · 5/6) = 29.
    const seen = new Map<string, number>()
    for (let seed = 0; seed < 6000; seed++) {
      const name = permutation([seed], 3).join('')
      seen.set(name, (seen.get(name) ?? 0) + 1)
    }
    expect(seen.size).toBe(6)
    for (const times of seen.values()) expect(Math.abs(times - 1000)).toBeLessThan(4 * 29)
  })

  it('refuses keys that are no safe integers', () => {
    for (const key of [Number.NaN, Number.POSITIVE_INFINITY, 2.5, 2 ** 53]) {
      expect(() => uniform(1, key)).toThrow(`random key [1, ${key}]: got ${key}, expected safe integers`)
    }
  })
})
