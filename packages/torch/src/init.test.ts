import { describe, expect, it } from 'vitest'
import { devices, init, randomNormal, torch } from './index.js'

describe.each(devices())('init on %s', device => {
  it('fills in place with the numbers of the key', () => {
    const weight = torch.zeros([3, 2], { device }).requires_grad_(true)
    expect(init.normal_(weight, 0.5, [7])).toBe(weight)
    expect([...weight.floats()]).toEqual([...randomNormal([7], 6).map(z => z * 0.5)])
    expect(weight.requiresGrad).toBe(true)
    init.uniform_(weight, -2, -1, [7])
    for (const value of weight.floats()) expect(value >= -2 && value <= -1).toBe(true)
    expect(new Set(weight.floats()).size).toBe(6)
    expect(init.ones_(weight).tolist()).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
    ])
    expect([...init.zeros_(weight).floats()]).toEqual([0, 0, 0, 0, 0, 0])
  })
})
