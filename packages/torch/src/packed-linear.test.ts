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
