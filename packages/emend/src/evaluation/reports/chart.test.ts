import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { thin, ticks } from './chart.js'

describe('ticks', () => {
  it('are round numbers around the data', () => {
    expect(ticks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1])
    expect(ticks(37, 62)).toEqual([35, 40, 45, 50, 55, 60, 65])
    expect(ticks(-3, 9)).toEqual([-5, 0, 5, 10])
    expect(ticks(4, 4)).toEqual([4, 5])
    expect(ticks(0, 0)).toEqual([0, 0.2])
  })

  it('always enclose the data', () => {
    const value = fc.double({ min: -1e9, max: 1e9, noNaN: true })
    fc.assert(
      fc.property(value, value, (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)]
        const found = ticks(low, high)
        const slack = 1e-6 * (Math.abs(low) + Math.abs(high)) + 1e-9
        expect(found.length).toBeLessThan(9)
        expect(found.length).toBeGreaterThan(1)
        expect(found[0]!).toBeLessThanOrEqual(low + slack)
        expect(found.at(-1)!).toBeGreaterThanOrEqual(high - slack)
      }),
    )
  })
})

it('thinning keeps the highest and the lowest point, in order', () => {
  const points = Array.from({ length: 10_000 }, (_, i): [number, number] => [
    i,
    i === 4321 ? 99 : i === 77 ? -99 : i % 7,
  ])
  const kept = thin(points)
  expect(kept.length).toBeLessThanOrEqual(600)
  expect(kept).toContainEqual([4321, 99])
  expect(kept).toContainEqual([77, -99])
  expect(kept.map(([x]) => x)).toEqual(kept.map(([x]) => x).sort((a, b) => a - b))
})
