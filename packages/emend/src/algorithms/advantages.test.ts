import { describe, expect, it } from 'vitest'
import { gae, whiten } from './advantages.js'

const close = (actual: ArrayLike<number>, expected: number[], digits = 6) => {
  for (const [i, x] of expected.entries()) expect(actual[i]).toBeCloseTo(x, digits)
}

describe('gae', () => {
  // γ = 0.9, λ = 0.5; r = [1, 0, 2], V = [0.5, 1, −1]:
  // δ₂ = 2 − (−1) = 3                    A₂ = 3
  // δ₁ = 0 + 0.9·(−1) − 1 = −1.9         A₁ = −1.9 + 0.45·3 = −0.55
  // δ₀ = 1 + 0.9·1 − 0.5 = 1.4           A₀ = 1.4 + 0.45·(−0.55) = 1.1525
  it('equals the recursion worked out by hand', () => {
    const { advantages, returns } = gae([1, 0, 2], [0.5, 1, -1], 0.9, 0.5)
    close(advantages, [1.1525, -0.55, 3])
    close(returns, [1.6525, 0.45, 2])
  })

  it('with γ = λ = 1 is the reward to come minus the value', () => {
    const { advantages } = gae([1, -2, 4], [10, 20, 30], 1, 1)
    close(advantages, [3 - 10, 2 - 20, 4 - 30])
  })

  it('with λ = 0 is the one-step error: the value after a_t is the next entry, read before a_{t+1}', () => {
    const { advantages } = gae([0, 0], [1, 5], 1, 0)
    close(advantages, [5 - 1, -5])
  })

  it('bootstraps nothing after the last token of a one-token response', () => {
    close(gae([2], [3], 1, 0.95).advantages, [-1])
  })
})

describe('whiten', () => {
  // tokens 1, 3, 5: mean 3, biased variance 8/3, standard deviation 1.6329932
  const rows = [Float32Array.of(1, 3), Float32Array.of(5)]

  it('removes the mean over all tokens, by the biased variance', () => {
    const [first, second] = whiten(rows, { keepMean: false })
    close(first as Float32Array, [-1.2247449, 0])
    close(second as Float32Array, [1.2247449])
  })

  it('keeps the mean of rewards', () => {
    const [first, second] = whiten(rows, { keepMean: true })
    close(first as Float32Array, [1.7752551, 3])
    close(second as Float32Array, [4.2247449])
  })

  it('of a constant batch is zero, not a division by zero', () => {
    close(whiten([Float32Array.of(2, 2)], { keepMean: false })[0] as Float32Array, [0, 0])
  })
})
