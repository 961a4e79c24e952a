import { noGrad, setNumThreads } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { scalarFrom } from '../models/index.js'
import type { RewardKind } from '../rewards/objectives/index.js'
import { RewardModel } from '../rewards/reward-model.js'
import { scorePairs } from '../rewards/score-pairs.js'
import { BAD, GOOD, logged, plainScores, tinyDecoder, tinyPairs, weights } from '../training/tiny.fixture.js'
import { NonFiniteError } from '../training/trainer.js'
import type { Pair } from './pairs.js'
import { rewardConfig, trainReward } from './reward.js'

setNumThreads(1)

const kinds: RewardKind[] = ['sequence', 'token']
const newModel = (kind: RewardKind, seed = 1) => new RewardModel(scalarFrom(tinyDecoder(seed), seed), kind, 'tiny')
const mean = (xs: readonly number[]) => xs.reduce((sum, x) => sum + x, 0) / xs.length
/** R of one side of a pair by the method's table: the last token's reward, or the mean of all. */
const plainReward = (model: RewardModel, { prompt, ...sides }: Pair, side: 'chosen' | 'rejected', kind: RewardKind) => {
  const rewards = plainScores(model.scalar, prompt, sides[side].ids)
  return kind === 'sequence' ? (rewards.at(-1) as number) : mean(rewards)
}

describe.each(kinds)('a reward model of kind %s', kind => {
  it('has as its loss −log σ(R(chosen) − R(rejected)), a mean over the pairs of the batch', async () => {
    const model = newModel(kind)
    const pairs = tinyPairs(9)
    const [chosen, rejected] = (['chosen', 'rejected'] as const).map(side =>
      pairs.map(pair => plainReward(model, pair, side, kind)),
    )
    const margins = (chosen as number[]).map((reward, i) => reward - (rejected?.[i] as number))
    const { metrics } = await logged(run =>
      trainReward(model, pairs, rewardConfig.parse({ kind, batch_size: 9, micro_batch_tokens: 60 }), 1, run),
    )
    const first = metrics[0] as Record<string, number>
    expect(first['loss']).toBeCloseTo(mean(margins.map(margin => Math.log(1 + Math.exp(-margin)))), 5)
    expect(first['margin']).toBeCloseTo(mean(margins), 5)
    expect(first['accuracy']).toBeCloseTo(margins.filter(margin => margin > 0).length / 9, 9)
    const rewards = [...(chosen as number[]), ...(rejected as number[])]
    expect(first['min_reward']).toBeCloseTo(Math.min(...rewards), 5)
    expect(first['mean_reward']).toBeCloseTo(mean(rewards), 5)
    expect(first['max_reward']).toBeCloseTo(Math.max(...rewards), 5)
  })

  it.each([1, 2, 3])('tells apart pairs it has not seen, seed %i', async seed => {
    const model = newModel(kind, seed)
    const pairs = tinyPairs(160)
    const config = rewardConfig.parse({ kind, learning_rate: 1e-2, epochs: 2, batch_size: 16, warmup_steps: 2 })
    const { metrics } = await logged(run => trainReward(model, pairs.slice(0, 120), config, seed, run))
    const held = scorePairs(model, pairs.slice(120))
    const right = held.filter(pair => (pair.chosenScore as number) > (pair.rejectedScore as number)).length
    expect(right / held.length).toBeGreaterThan(0.95)
    expect(metrics.at(-1)?.['loss']).toBeLessThan(0.2)
    expect(metrics.at(-1)?.['margin']).toBeGreaterThan((metrics[0]?.['margin'] as number) + 2)
  })

  it('stops at a loss that is no number, naming step and pairs, with nothing updated', async () => {
    const model = newModel(kind)
    noGrad(() => model.scalar.score.weight.fill_(Number.NaN))
    const before = weights(model.scalar)
    const training = trainReward(model, tinyPairs(1), rewardConfig.parse({ kind }), 1)
    await expect(training).rejects.toThrow(NonFiniteError)
    await expect(training).rejects.toThrow('reward: the loss is NaN at step 0 in samples pair-0')
    expect(weights(model.scalar)).toEqual(before)
  })
})

it('a token-level reward model rewards the tokens that made the difference', async () => {
  const model = newModel('token')
  await trainReward(
    model,
    tinyPairs(120),
    rewardConfig.parse({ learning_rate: 1e-2, batch_size: 16, warmup_steps: 2 }),
    1,
  )
  const rewardOf = (tokens: readonly number[], side: 'chosen' | 'rejected') =>
    mean(
      tinyPairs(150)
        .slice(120)
        .flatMap(pair => {
          const rewards = model.readAll([pair.prompt], [pair[side].ids])[0]?.token ?? []
          return [...rewards].filter((_, t) => tokens.includes(pair[side].ids[t] as number))
        }),
    )
  expect(rewardOf(GOOD, 'chosen')).toBeGreaterThan(rewardOf(BAD, 'rejected') + 2)
})

it('an unknown kind is refused by a line that lists the kinds', () => {
  expect(() => new RewardModel(scalarFrom(tinyDecoder(), 1), 'pairwise', 'tiny')).toThrow(
    "no reward model of kind 'pairwise'; there are sequence, token",
  )
})
