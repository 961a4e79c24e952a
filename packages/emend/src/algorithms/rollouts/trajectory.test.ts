import { describe, expect, it } from 'vitest'
import { NonFiniteError } from '../../training/trainer.js'
import { type Sample, shapedRewards, trajectories } from './trajectory.js'

const shaping = {
  kl_coef: 0.5,
  missing_eos_penalty: -1,
  gamma: 1,
  lambda: 1,
  whiten_rewards: false,
  whiten_advantages: false,
}

const sample = (o: Partial<Sample> = {}): Sample => ({
  index: 4,
  prompt: Int32Array.of(5, 6),
  response: Int32Array.of(7, 8),
  ended: true,
  logprobs: Float32Array.of(-1, -2),
  refLogprobs: Float32Array.of(-1.5, -1),
  values: Float32Array.of(0.25, 0.5),
  paid: Float32Array.of(0, 2),
  ...o,
})

describe('trajectories', () => {
  // kl = [0.5, −1]; rewards = [0 − 0.25, 2 + 0.5] = [−0.25, 2.5]; no clamping of the negative KL
  it('pays the reward minus β·KL at every token', () => {
    const [trajectory] = trajectories([sample()], shaping, 0)
    expect(Array.from(trajectory?.rewards ?? [])).toEqual([-0.25, 2.5])
    // A₁ = 2.5 − 0.5 = 2; A₀ = 2.25 − 0.25 = 2
    expect(Array.from(trajectory?.advantages ?? [])).toEqual([2, 2])
    expect(Array.from(trajectory?.returns ?? [])).toEqual([2.25, 2.5])
  })

  it('adds the penalty of a missing EOS to the last token, and to that alone', () => {
    const kl = Float32Array.of(0, 0)
    expect(Array.from(shapedRewards(sample({ ended: false }), kl, shaping))).toEqual([0, 1])
    expect(Array.from(shapedRewards(sample(), kl, shaping))).toEqual([0, 2])
  })

  it('whitens advantages once, over the whole batch', () => {
    const batch = [sample(), sample({ paid: Float32Array.of(0, -2) })]
    const whitened = trajectories(batch, { ...shaping, whiten_advantages: true }, 0).flatMap(t => [...t.advantages])
    // raw advantages 2, 2, −2, −2: mean 0, biased variance 4
    for (const [i, x] of whitened.entries()) expect(x).toBeCloseTo([1, 1, -1, -1][i] as number, 6)
  })

  it('refuses a number that is none, naming step, quantity, token and prompt', () => {
    const broken = sample({ paid: Float32Array.of(0, Number.NaN) })
    expect(() => trajectories([sample(), broken], shaping, 12)).toThrow(NonFiniteError)
    expect(() => trajectories([broken], shaping, 12)).toThrow(
      'paid is NaN at token 1 of the response to prompt 4, step 12',
    )
  })
})
