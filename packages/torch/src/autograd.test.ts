import { expect, test } from 'vitest'
import { forEachDevice } from './device.test-suite.js'
import { grad, noGrad, tensor, torch } from './index.js'

forEachDevice('gradients', device => {
  const leaf = (data: Parameters<typeof tensor>[0]) => tensor(data, { device, requiresGrad: true })

  test('of x² is 2x; they add up until set to null', () => {
    const x = leaf([1, -3])
    x.mul(x).sum().backward()
    expect(x.grad!.tolist()).toEqual([2, -6])
    x.mul(x).sum().backward()
    expect(x.grad!.tolist()).toEqual([4, -12])
    expect(x.grad).toBe(x.grad)
    x.grad = null
    expect(x.grad).toBeNull()
  })

  test('of a linear layer are the outer products', () => {
    const w = leaf([[1, 2]])
    const b = leaf([0])
    torch
      .linear(
        tensor(
          [
            [3, 4],
            [5, 6],
          ],
          { device },
        ),
        w,
        b,
      )
      .sum()
      .backward()
    expect(w.grad!.tolist()).toEqual([[8, 10]])
    expect(b.grad!.tolist()).toEqual([2])
  })

  test('come as values too, null where nothing depends, and twice', () => {
    const x = leaf([2])
    const unused = leaf([1])
    const y = x.pow(3).sum()
    const [first, none] = grad(y, [x, unused], { createGraph: true })
    expect([first!.item(), none]).toEqual([12, null])
    const [second] = grad(first!.sum(), x)
    expect(second!.item()).toBe(12) // d²(x³) = 6x
    expect(x.grad).toBeNull()
  })

  test('of several elements need their own gradient', () => {
    const x = leaf([1, 2])
    x.mul(3).backward(tensor([1, 10], { device }))
    expect(x.grad!.tolist()).toEqual([3, 30])
    expect(() => x.mul(3).backward()).toThrow('an output of 2 elements needs its gradient given')
  })

  test('an in-place update under noGrad keeps the leaf', () => {
    const x = leaf([1, 2])
    x.sum().backward()
    expect(noGrad(() => x.sub_(x.grad!))).toBe(x)
    expect(x.tolist()).toEqual([0, 1])
    expect(x.requiresGrad).toBe(true)
  })
})

test('what cannot be differentiated says why', () => {
  expect(() => tensor([1]).sum().backward()).toThrow(
    'the output does not require gradients: nothing it was computed from does',
  )
  const x = tensor([1, 2], { requiresGrad: true })
  const y = x.mul(x).sum()
  y.backward()
  expect(() => y.backward()).toThrow('a second time')
  expect(() => tensor([1], { dtype: 'int64', requiresGrad: true })).toThrow('Only Tensors of floating point')
  expect(() => {
    x.grad = tensor([1])
  }).toThrow("grad: the shape must be the tensor's")
  expect(() => grad(x.sum(), [])).toThrow('grad: no inputs')
  expect(() => grad(x.sum(), ['x'] as never)).toThrow('grad: inputs[0] must be a Tensor')
})
