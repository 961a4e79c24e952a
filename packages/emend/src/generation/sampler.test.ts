import { devices, scope, type Tensor, tensor, uniform } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { draw, shapedLogprobs } from './sampler.js'

const probabilities = [0.1, 0.4, 0.2, 0.3]
const plain = { temperature: 1, topK: 0, topP: 1 }

function close(got: Tensor, expected: readonly number[]): void {
  const values = got.exp().floats()
  for (const [i, p] of expected.entries()) expect(values[i]).toBeCloseTo(p, 5)
}

describe.each(devices())('the distribution tokens are drawn from, on %s', device => {
  const logits = () =>
    tensor(
      probabilities.map(p => Math.log(p) + 3),
      { shape: [1, 4], device },
    )

  it('is the softmax without filters', () => scope(() => close(shapedLogprobs(logits(), plain), probabilities)))

  it('temperature ½ squares the odds: 1, 16, 4, 9 of 30', () =>
    scope(() => close(shapedLogprobs(logits(), { ...plain, temperature: 0.5 }), [1 / 30, 16 / 30, 4 / 30, 9 / 30])))

  it('top-k keeps the k most probable: 4/7 and 3/7', () =>
    scope(() => {
      close(shapedLogprobs(logits(), { ...plain, topK: 2 }), [0, 4 / 7, 0, 3 / 7])
      close(shapedLogprobs(logits(), { ...plain, topK: 9 }), probabilities)
    }))

  // Mass before each, most probable first: 0, 0.4, 0.7, 0.9.
  it.each([
    [0.01, [0, 1, 0, 0]],
    [0.39, [0, 1, 0, 0]],
    [0.41, [0, 4 / 7, 0, 3 / 7]],
    [0.71, [0, 4 / 9, 2 / 9, 3 / 9]],
    [0.95, probabilities],
  ])('top-p %d keeps tokens until their mass reaches it', (topP, expected) =>
    scope(() => close(shapedLogprobs(logits(), { ...plain, topP }), expected)),
  )

  it('filters in the order temperature, top-k, top-p', () =>
    scope(() => {
      // squared odds 1, 16, 4, 9; the first three renormalised: 16/29, 9/29, 4/29; mass before the third 25/29 = 0.862
      const shaped = shapedLogprobs(logits(), { temperature: 0.5, topK: 3, topP: 0.85 })
      close(shaped, [0, 16 / 25, 0, 9 / 25])
    }))

  it('the inverse of the cumulative distribution: 0.1, 0.5, 0.7, 1', () =>
    scope(() => {
      const us = [0, 0.0999, 0.1001, 0.4999, 0.5001, 0.6999, 0.7001, 1 - 2 ** -53]
      const rows = shapedLogprobs(logits(), plain).expand([us.length, 4])
      expect(Array.from(draw(rows, us).ints())).toEqual([0, 0, 1, 1, 2, 2, 3, 3])
    }))

  it('never draws a token that was filtered out, at either end of u', () =>
    scope(() => {
      const shaped = shapedLogprobs(tensor([0, 1, 2, 1, 0], { shape: [1, 5], device }), { ...plain, topK: 3 })
      expect(Array.from(draw(shaped.expand([2, 5]), [0, 1 - 2 ** -53]).ints())).toEqual([1, 3])
    }))

  it('frequencies over 20,000 draws are within four standard errors', () =>
    scope(() => {
      const n = 20_000
      const us = Array.from({ length: n }, (_, i) => uniform(1, i, 0))
      const counts = [0, 0, 0, 0]
      for (const id of draw(shapedLogprobs(logits(), plain).expand([n, 4]), us).ints()) counts[id]!++
      probabilities.forEach((p, i) => {
        expect(Math.abs(counts[i]! / n - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / n))
      })
    }))
})
