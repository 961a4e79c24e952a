import { noGrad, setNumThreads } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import type { Decoder } from '../models/index.js'
import { logged, plainLogprobs, tinyDecoder, tinyPairs, weights } from '../training/tiny.fixture.js'
import { NonFiniteError } from '../training/trainer.js'
import { dpo, dpoConfig } from './dpo.js'
import type { Pair } from './pairs.js'

setNumThreads(1)

const sum = (xs: readonly number[]) => xs.reduce((total, x) => total + x, 0)
/** β[Δ(chosen) − Δ(rejected)], Δ = Σ_t log π − log π_ref, by the definition. */
function plainMargin(policy: Decoder, reference: Decoder, { prompt, chosen, rejected }: Pair, beta: number): number {
  const delta = (ids: Int32Array) =>
    sum(plainLogprobs(policy, prompt, ids)) - sum(plainLogprobs(reference, prompt, ids))
  return beta * (delta(chosen.ids) - delta(rejected.ids))
}

describe('dpo', () => {
  it('has as its loss −log σ of the margin, a mean over the pairs of the batch', async () => {
    const [policy, reference] = [tinyDecoder(1), tinyDecoder(2)]
    const pairs = tinyPairs(9)
    const margins = pairs.map(pair => plainMargin(policy, reference, pair, 0.3))
    const config = dpoConfig.parse({ beta: 0.3, batch_size: 9, micro_batch_tokens: 60 })
    const { metrics } = await logged(run => dpo(policy, reference, pairs, config, 1, run))
    expect(metrics[0]?.['loss']).toBeCloseTo(sum(margins.map(margin => Math.log(1 + Math.exp(-margin)))) / 9, 4)
    expect(metrics[0]?.['margin']).toBeCloseTo(sum(margins) / 9, 4)
    expect(metrics[0]?.['accuracy']).toBeCloseTo(margins.filter(margin => margin > 0).length / 9, 9)
  })

  it.each([1, 2, 3])('raises the margin of pairs it has not seen, and leaves the reference, seed %i', async seed => {
    const [policy, reference] = [tinyDecoder(seed), tinyDecoder(seed)]
    const pairs = tinyPairs(144)
    const config = dpoConfig.parse({ learning_rate: 1e-2, batch_size: 16, epochs: 2, warmup_steps: 2 })
    const { metrics } = await logged(run => dpo(policy, reference, pairs.slice(0, 112), config, seed, run))
    // Nothing has moved yet: log 2.
    expect(metrics[0]?.['loss']).toBeCloseTo(Math.LN2, 5)
    expect(metrics[0]?.['margin']).toBeCloseTo(0, 5)
    expect(metrics.at(-1)?.['loss']).toBeLessThan(0.35)
    const held = pairs.slice(112).map(pair => plainMargin(policy, reference, pair, config.beta))
    expect(sum(held) / held.length).toBeGreaterThan(0.8)
    expect(held.filter(margin => margin > 0).length / held.length).toBeGreaterThan(0.95)
    expect(weights(reference)).toEqual(weights(tinyDecoder(seed)))
  })

  it('stops at a loss that is no number, naming step and pairs, with nothing updated', async () => {
    const policy = tinyDecoder()
    noGrad(() => policy.model.norm.weight.fill_(Number.NaN))
    const before = weights(policy)
    const training = dpo(policy, tinyDecoder(), tinyPairs(1), dpoConfig.parse({}), 1)
    await expect(training).rejects.toThrow(NonFiniteError)
    await expect(training).rejects.toThrow('dpo: the loss is NaN at step 0 in samples pair-0')
    expect(weights(policy)).toEqual(before)
  })
})
