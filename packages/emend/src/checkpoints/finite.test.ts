import { tensor } from '@emend/torch'
import { expect, it } from 'vitest'
import { refuseNonFinite } from './finite.js'

it.each([Number.NaN, Number.POSITIVE_INFINITY])('names the first tensor that holds %s', bad => {
  const tensors = new Map([
    ['fine', tensor([1, -2, 3])],
    ['model.norm.weight', tensor([1, bad, 3])],
    ['later', tensor([bad])],
  ])
  expect(() => refuseNonFinite(tensors, 'runs/m')).toThrow('runs/m: model.norm.weight: holds NaN or infinite numbers')
})

it('takes numbers whose sum alone is too large for their type', () => {
  // 65,504 is float16's largest number: two of them have no sum.
  const large = tensor([65504, 65504], { dtype: 'float16' })
  expect(large.sum().item()).toBe(Number.POSITIVE_INFINITY)
  refuseNonFinite(
    [
      ['large', large],
      ['both ways', tensor([3e38, 3e38])],
    ],
    'm',
  )
})
