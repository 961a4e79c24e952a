import { describe, expect, it } from 'vitest'
import { devices, gradcheck, init, nn, noGrad, tensor, torch } from '../index.js'

const close = (got: ArrayLike<number>, expected: readonly number[], digits = 6) => {
  expect(got.length).toBe(expected.length)
  for (const [i, value] of expected.entries()) expect(got[i]).toBeCloseTo(value, digits)
}

describe.each(devices())('layers on %s', device => {
  it('Linear is x Wᵀ + b', () => {
    using layer = new nn.Linear(2, 3, { device })
    expect([...layer.parameters()].map(([name, t]) => [name, t.shape])).toEqual([
      ['weight', [3, 2]],
      ['bias', [3]],
    ])
    noGrad(() => {
      layer.weight.copy_(
        tensor([
          [1, 2],
          [3, 4],
          [-1, 0.5],
        ]),
      )
      layer.bias!.copy_(tensor([0.5, -1, 0]))
    })
    close(
      layer
        .forward(
          tensor(
            [
              [1, 1],
              [2, -1],
            ],
            { device },
          ),
        )
        .floats(),
      [3.5, 6, -0.5, 0.5, 1, -2.5],
    )
    using bare = new nn.Linear(2, 3, { bias: false, device })
    expect([...bare.parameters().keys()]).toEqual(['weight'])
    expect(bare.bias).toBeNull()
  })

  it('Embedding gives the rows of its table', () => {
    using layer = new nn.Embedding(3, 2, { device })
    noGrad(() =>
      layer.weight.copy_(
        tensor([
          [0, 1],
          [2, 3],
          [4, 5],
        ]),
      ),
    )
    const out = layer.forward(tensor(Int32Array.of(2, 0, 2), { dtype: 'int64', device }))
    expect(out.tolist()).toEqual([
      [4, 5],
      [0, 1],
      [4, 5],
    ])
    out.sum().backward()
    expect(layer.weight.grad!.tolist()).toEqual([
      [1, 1],
      [0, 0],
      [2, 2],
    ])
    expect(() => layer.forward(tensor(Int32Array.of(3), { dtype: 'int64' }))).toThrow(/out of range/)
  })

  it('LayerNorm subtracts the mean and divides by the root of the variance', () => {
    using layer = new nn.LayerNorm(4, { eps: 0.75, device })
    noGrad(() => {
      layer.weight.copy_(tensor([1, 2, 3, 4]))
      layer.bias!.copy_(tensor([0, 0, 1, 0]))
    })
    // mean 2.5, variance 1.25, √(1.25 + 0.75) = √2
    const r = Math.SQRT2
    close(layer.forward(tensor([[1, 2, 3, 4]], { device })).floats(), [-1.5 / r, -1 / r, 1.5 / r + 1, 6 / r])
  })

  it('RMSNorm divides by the root of the mean square', () => {
    using layer = new nn.RMSNorm(4, { eps: 0.25, device })
    noGrad(() => layer.weight.copy_(tensor([1, 2, 1, 1])))
    // mean square (1 + 4 + 4 + 0) / 4 = 2.25, with eps 2.5
    const r = Math.sqrt(2.5)
    close(layer.forward(tensor([[1, 2, -2, 0]], { device })).floats(), [1 / r, 4 / r, -2 / r, 0])
  })

  it('has the defaults of PyTorch and of Llama', () => {
    expect(new nn.LayerNorm(2, { device }).eps).toBe(1e-5)
    expect(new nn.RMSNorm(2, { device }).eps).toBe(1e-6)
    expect(new nn.RMSNorm(2, { device, dtype: 'bfloat16' }).weight.dtype).toBe('bfloat16')
  })

  it('has the gradients of its formulas, in float64', () => {
    const x = torch.zeros([2, 3, 4], { dtype: 'float64', device })
    init.normal_(x, 1, [1])
    for (const layer of [
      new nn.Linear(4, 3, { dtype: 'float64', device }),
      new nn.LayerNorm(4, { dtype: 'float64', device }),
      new nn.RMSNorm(4, { dtype: 'float64', device }),
    ]) {
      const names = [...layer.parameters().keys()]
      for (const [i, weight] of [...layer.parameters().values()].entries()) init.normal_(weight, 1, [2, i])
      const worst = gradcheck(
        (input, ...weights) => {
          // The layer computes with the given leaves in place of its own.
          for (const [i, name] of names.entries()) Object.assign(layer, { [name]: weights[i] })
          return layer.forward(input)
        },
        [x, ...layer.parameters().values()],
      )
      expect(worst).toBeLessThan(1e-7)
    }
  })
})
