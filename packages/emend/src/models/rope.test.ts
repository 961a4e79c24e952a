import { scope, tensor } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { RotaryTable, rotate } from './rope.js'

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
