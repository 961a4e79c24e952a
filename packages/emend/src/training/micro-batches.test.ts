import { setNumThreads } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { dpo, dpoConfig } from '../algorithms/dpo.js'
import { ppo } from '../algorithms/ppo.js'
import { rewardConfig, trainReward } from '../algorithms/reward.js'
import { sft, sftConfig } from '../algorithms/sft.js'
import { scalarFrom } from '../models/index.js'
import { RewardModel } from '../rewards/reward-model.js'
import type { Run } from './run.js'
import { logged, tinyDecoder, tinyExamples, tinyPairs, tinyParts, tinyPpo, weights } from './tiny.fixture.js'

setNumThreads(1)

/** Trains with a budget of padded tokens a forward pass; gives the weights. */
const algorithms: Readonly<Record<string, (micro_batch_tokens: number, run: Run) => Promise<number[]>>> = {
  async sft(micro_batch_tokens, run) {
    const model = tinyDecoder()
    const config = sftConfig.parse({ epochs: 2, batch_size: 8, warmup_steps: 2, micro_batch_tokens })
    await sft(model, tinyExamples(40), config, 1, run)
    return weights(model)
  },
  async 'reward, sequence'(micro_batch_tokens, run) {
    const model = new RewardModel(scalarFrom(tinyDecoder(), 1), 'sequence', 'tiny')
    await trainReward(model, tinyPairs(40), rewardConfig.parse({ batch_size: 8, micro_batch_tokens }), 1, run)
    return weights(model.scalar)
  },
  async 'reward, token'(micro_batch_tokens, run) {
    const model = new RewardModel(scalarFrom(tinyDecoder(), 1), 'token', 'tiny')
    await trainReward(model, tinyPairs(40), rewardConfig.parse({ batch_size: 8, micro_batch_tokens }), 1, run)
    return weights(model.scalar)
  },
  async dpo(micro_batch_tokens, run) {
    const policy = tinyDecoder()
    const config = dpoConfig.parse({ epochs: 2, batch_size: 8, learning_rate: 1e-3, micro_batch_tokens })
    await dpo(policy, tinyDecoder(2), tinyPairs(40), config, 1, run)
    return weights(policy)
  },
  async ppo(micro_batch_tokens, run) {
    const parts = tinyParts()
    await ppo(parts, tinyPpo({ steps: 6, epochs: 2, learning_rate: 1e-3, micro_batch_tokens }), 1, run)
    return [...weights(parts.policy), ...weights(parts.value)]
  },
}

// The longest sample holds 15 tokens: with a budget of 20 all stand alone or in twos.
describe.each(Object.entries(algorithms))('%s', (_, train) => {
  it('has the same metrics and the same weights to 1e-5 whatever the micro-batches', async () => {
    const outcomes = []
    for (const tokens of [20, 70, 100_000]) {
      let trained: number[] = []
      const { metrics } = await logged(async run => {
        trained = await train(tokens, run)
      })
      outcomes.push({ trained, metrics })
    }
    const [first, ...others] = outcomes as [(typeof outcomes)[0], ...typeof outcomes]
    expect(first.metrics.length).toBeGreaterThan(5)
    for (const { trained, metrics } of others) {
      expect(largestDifference(trained, first.trained)).toBeLessThan(1e-5)
      for (const [step, row] of first.metrics.entries()) {
        for (const name of Object.keys(row).filter(key => !/^(time|throughput)\//.test(key))) {
          const difference = Math.abs((metrics[step]?.[name] as number) - (row[name] as number))
          expect(difference, `${name} at step ${step}`).toBeLessThan(1e-5)
        }
      }
    }
  })
})

function largestDifference(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length)
  return a.reduce((largest, x, i) => Math.max(largest, Math.abs(x - (b[i] as number))), 0)
}
