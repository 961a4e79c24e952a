import { scope, tensor } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { frequencies, RotaryTable, rotate } from './rope.js'

describe('rotary positions', () => {
  // headDim 4, θ = 100: frequencies 1 and 1/10; element i is turned together with element i + 2
  it('turns halves as Llama does', () =>
    scope(() => {
      const table = new RotaryTable(4, 100, 64)
      const x = tensor([1, 2, 3, 4, 1, 2, 3, 4], { shape: [1, 2, 1, 4] })
      const got = rotate(x, table.range(2, 'float32')).floats()
      const turned = [
        Math.cos(1) - 3 * Math.sin(1),
        2 * Math.cos(0.1) - 4 * Math.sin(0.1),
        3 * Math.cos(1) + Math.sin(1),
        4 * Math.cos(0.1) + 2 * Math.sin(0.1),
      ]
      expect(Array.from(got.slice(0, 4))).toEqual([1, 2, 3, 4])
      for (const [i, y] of turned.entries()) expect(got[4 + i]).toBeCloseTo(y, 6)
    }))

  it('leaves q·k a function of the distance alone, also past the first growth of the table', () =>
    scope(() => {
      const table = new RotaryTable(8, 10_000, 1000)
      const q = tensor([0.3, -1, 2, 0.5, 1.5, 0.1, -0.7, 1], { shape: [1, 1, 1, 8] })
      const k = tensor([1, 0.2, -0.4, 0.9, -1.1, 0.6, 0.8, -0.5], { shape: [1, 1, 1, 8] })
      const at = (x: typeof q, position: number) =>
        rotate(x, table.at(tensor(Int32Array.of(position), { shape: [1, 1], dtype: 'int64' }), position + 1, 'float32'))
      const product = (m: number, n: number) => at(q, m).mul(at(k, n)).sum().item()
      for (const shift of [1, 100, 700]) expect(product(7 + shift, 2 + shift)).toBeCloseTo(product(7, 2), 4)
      expect(Math.abs(product(7, 2) - product(9, 2))).toBeGreaterThan(0.01)
    }))

  it('refuses what is longer than the context', () =>
    scope(() => {
      const table = new RotaryTable(4, 100, 10)
      expect(() => table.range(11, 'float32')).toThrow(
        'a sequence of 11 tokens does not fit the context of 10 positions',
      )
    }))
})

// headDim 6, θ = 1000: frequencies 1, 1/10, 1/100. In a context of 20π positions they turn 10, 1 and 1/10 times.
describe('frequencies', () => {
  const base = { factor: 4, originalPositions: 20 * Math.PI } as const
  const yarn = { ...base, type: 'yarn', magnitude: 1, betaFast: 9, betaSlow: 0.11, truncate: true } as const
  const of = (scaling?: Parameters<typeof frequencies>[2]) => [...frequencies(6, 1000, scaling)]
  const close = (got: readonly number[], expected: readonly number[]) => {
    for (const [i, x] of expected.entries()) expect(got[i]).toBeCloseTo(x, 12)
  }

  it('are powers of θ, and stay so under dynamic scaling', () => {
    close(of(), [1, 0.1, 0.01])
    close(of({ type: 'dynamic', factor: 4 }), [1, 0.1, 0.01])
  })

  it('linear: all divided', () => close(of({ type: 'linear', factor: 4 }), [0.25, 0.025, 0.0025]))

  // 1 turn lies (1 - 0.5) / (4 - 0.5) = 1/7 of the way: 6/7 · 0.1/8 + 1/7 · 0.1 = 0.025
  it('llama3: more than 4 turns kept, less than half a turn divided, between them interpolated', () =>
    close(
      of({ ...base, type: 'llama3', factor: 8, lowFrequencyFactor: 0.5, highFrequencyFactor: 4 }),
      [1, 0.025, 0.00125],
    ))

  // n turns: pair log10(10 / n); 9 and 0.11 turns lie just inside of pairs 0 and 2, and pair 1 halfway
  it('yarn: a ramp between the pairs of the two numbers of turns', () => close(of(yarn), [1, 0.0625, 0.0025]))

  // 2 turns: pair 0.69897; 0.2 turns: pair 1.69897; pair 1 is 0.30103 of the way, or half between 0 and 2
  it('yarn: with the ends of the ramp rounded outwards or not', () => {
    const ends = { ...yarn, betaFast: 2, betaSlow: 0.2 }
    close(of(ends), [1, 0.0625, 0.0025])
    expect(of({ ...ends, truncate: false })[1]).toBeCloseTo(0.1 * (0.30103 / 4 + 0.69897), 7)
  })

  it('yarn: queries and keys grow', () =>
    scope(() => {
      const table = new RotaryTable(6, 1000, 8, { scaling: { ...yarn, magnitude: 1.5 } })
      const x = tensor([1, 2, 3, 4, 5, 6], { shape: [1, 1, 1, 6] })
      expect([...rotate(x, table.range(1, 'float32')).floats()]).toEqual([1.5, 3, 4.5, 6, 7.5, 9])
    }))
})
