import { expect, test } from 'vitest'
import { memory, noGrad, PackedLinear, randomNormal, scope, tensor, torch } from './index.js'

const random = (shape: readonly number[], key: number) =>
  tensor(randomNormal([key], shape[0]! * (shape[1] ?? 1)), { shape })

test('is x Wᵀ + b: 1·5 + 2·6 + 100 = 117', () => {
  const linear = new PackedLinear(
    tensor([
      [1, 2],
      [3, 4],
      [0, -1],
    ]),
    tensor([100, 0, 0]),
  )
  expect(
    linear
      .forward(
        tensor([
          [5, 6],
          [1, 1],
        ]),
      )
      .tolist(),
  ).toEqual([
    [117, 39, -6],
    [103, 7, -1],
  ])
  linear.dispose()
})

test.each([
  [1, 64, 33],
  [7, 96, 200],
  [64, 576, 192],
])('%i rows of %i → %i agree with torch.linear in float64', (rows, inputs, outputs) =>
  scope(() => {
    const [weight, x] = [random([outputs, inputs], 1), random([rows, inputs], 2)]
    const linear = new PackedLinear(weight)
    const exact = torch.linear(x.to('float64'), weight.to('float64'))
    expect(linear.forward(x).to('float64').sub(exact).abs().max().item()).toBeLessThan(1e-4)
    linear.dispose()
  }),
)

test('adds what is given: 1·5 + 2·6 + 100 + 1000 = 1117', () =>
  scope(() => {
    const linear = new PackedLinear(tensor([[1, 2]]), tensor([100]))
    const x = tensor([
      [5, 6],
      [1, 1],
    ])
    const plus = tensor([[1000, 2000]]).t()
    expect(linear.forward(x, plus).tolist()).toEqual([[1117], [2103]])
    expect(plus.tolist()).toEqual([[1000], [2000]])
    const wide = [random([64, 192], 1), random([7, 64], 2), random([7, 192], 3)] as const
    const several = new PackedLinear(wide[0].t().contiguous())
    const exact = wide[1].to('float64').matmul(wide[0].to('float64')).add(wide[2])
    expect(several.forward(wide[1], wide[2]).sub(exact).abs().max().item()).toBeLessThan(1e-4)
    expect(several.forward(torch.zeros([0, 64]), torch.zeros([0, 192])).shape).toEqual([0, 192])
    for (const wrong of [torch.ones([7, 191]), torch.ones([6, 192]), torch.ones([192]), wide[2].to('float64')]) {
      expect(() => several.forward(wide[1], wrong)).toThrow('PackedLinear: plus: expected a float32 matrix [7, 192]')
    }
    linear.dispose()
    several.dispose()
  }))

test('reads inputs that are not contiguous, broadcast or without rows', () =>
  scope(() => {
    const weight = random([3, 5], 1)
    const linear = new PackedLinear(weight.t().contiguous().t())
    const x = random([5, 4], 2)
    for (const view of [x.t(), x.t().narrow(0, 1, 2), x.narrow(1, 0, 1).t().expand([6, 5]), torch.zeros([0, 5])]) {
      const exact = torch.linear(view, weight)
      const got = linear.forward(view)
      expect(got.shape).toEqual(exact.shape)
      expect(Math.max(0, ...got.sub(exact).abs().floats())).toBeLessThan(1e-5)
    }
    linear.dispose()
  }))

test('holds the weight as it was, and frees what it holds', () => {
  const before = memory().tensors
  scope(() => {
    const weight = random([4, 4], 3)
    const linear = new PackedLinear(weight)
    const x = random([2, 4], 4)
    const first = linear.forward(x).tolist()
    noGrad(() => weight.zero_())
    expect(linear.forward(x).tolist()).toEqual(first)
    linear.dispose()
  })
  expect(memory().tensors).toBe(before)
})

test('refuses what the kernels would read past', () => {
  expect(() => new PackedLinear(tensor([1, 2]))).toThrow(
    'weight: expected a float32 matrix on the CPU, got float32 [2]',
  )
  expect(() => new PackedLinear(tensor([[1]], { dtype: 'float64' }))).toThrow('got float64 [1, 1] on cpu')
  expect(() => new PackedLinear(tensor([[1, 2]]), tensor([1, 2]))).toThrow('bias: expected a float32 vector of 1')
  const linear = new PackedLinear(tensor([[1, 2]]))
  expect(() => linear.forward(tensor([[1, 2, 3]]))).toThrow('expected a float32 matrix [N, 2] on the CPU')
  expect(() => linear.forward(tensor([[1, 2]], { dtype: 'bfloat16' }))).toThrow('got bfloat16 [1, 2]')
  linear.dispose()
})
