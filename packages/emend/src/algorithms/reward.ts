/** Training a reward model on pairs: edits (final ≻ draft) or preferences (chosen ≻ rejected). */
import type { Tensor } from '@emend/torch'
import { z } from 'zod'
import { pack } from '../models/index.js'
import { type RewardKind, rewardKinds } from '../rewards/objectives/index.js'
import type { RewardReading } from '../rewards/reading.js'
import type { RewardModel } from '../rewards/reward-model.js'
import { planMemory } from '../training/micro-batch.js'
import { Run } from '../training/run.js'
import { loraSetting, microBatchSetting, recomputeSetting } from '../training/settings.js'
import { weightsOf } from '../training/stateful.js'
import { annealed, type Part, Trainer } from '../training/trainer.js'
import { bucketedBatches, microBatches } from './batches.js'
import { blankPair, bothSides, type Pair, pairLength } from './pairs.js'

export const rewardConfig = z.strictObject({
  kind: z
    .enum(rewardKinds)
    .default('token' satisfies RewardKind)
    .describe('what is trained: one reward a response, or one a token'),
  head_init: z
    .enum(['normal', 'zero'])
    .default('normal')
    .describe('the new head: normal with standard deviation 1/√(D+1), or 0, which says nothing before it has learnt'),
  learning_rate: z.number().positive().default(1e-3).describe('peak learning rate, annealed linearly to 0'),
  epochs: z.number().int().positive().default(2).describe('passes over the pairs'),
  batch_size: z.number().int().positive().default(32).describe('pairs per optimizer step'),
  warmup_steps: z.number().int().nonnegative().default(10).describe('steps over which the learning rate rises from 0'),
  weight_decay: z.number().nonnegative().default(0.01).describe('decoupled weight decay (AdamW)'),
  max_grad_norm: z.number().positive().default(1).describe('the gradient is scaled down to this L2 norm'),
  lora: loraSetting,
  recompute: recomputeSetting,
  micro_batch_tokens: microBatchSetting(16384),
})
export type RewardConfig = z.infer<typeof rewardConfig>
/** What is to be given of it: everything has a default. */
export type RewardSettings = z.input<typeof rewardConfig>

/** Trains `model` in place by its objective: a mean over the pairs of a batch. */
export async function trainReward(
  model: RewardModel,
  pairs: readonly Pair[],
  config: RewardConfig,
  seed: number,
  run = new Run(),
): Promise<void> {
  const lengths = pairs.map(pairLength)
  const perEpoch = Math.ceil(pairs.length / config.batch_size)
  const total = perEpoch * config.epochs
  using trainer = new Trainer(model.scalar.trainable(), {
    name: 'reward',
    lr: config.learning_rate,
    schedule: annealed(config.warmup_steps, total),
    maxGradNorm: config.max_grad_norm,
    weightDecay: config.weight_decay,
    eps: 1e-5,
  })

  let margins: number[] = []
  let rewards: number[] = []
  const part = (chosen: readonly Pair[]): Part => ({
    samples: chosen.map(pair => pair.id),
    loss() {
      const { prompts, responses } = bothSides(chosen)
      const reading = model.read(pack(prompts, responses, model.scalar.device))
      const [better, worse] = splitReading(reading)
      rewards.push(...reading.sequence.floats())
      margins.push(...better.sequence.sub(worse.sequence).floats())
      return model.objective.loss(better, worse).sum()
    },
  })
  const { tokens: atOnce, measured } = planMemory(
    {
      name: 'reward model',
      settings: config,
      models: [model.scalar],
      trainers: [trainer],
      trial: {
        longest: 2 * lengths.reduce((most, length) => Math.max(most, length), 2),
        most: config.batch_size,
        parts: (samples, length) => [[trainer, part(Array(samples).fill(blankPair(Math.ceil(length / 2))))]],
      },
    },
    run,
  )

  for await (const step of run.steps(total, { model: weightsOf(model.scalar), optimizer: trainer })) {
    const plan = bucketedBatches(lengths, config.batch_size, seed, Math.floor(step / perEpoch))
    const batch = plan[step % perEpoch] as Int32Array
    margins = []
    rewards = []
    const started = performance.now()
    const parts = microBatches(batch, i => 2 * (lengths[i] as number), atOnce).map(members =>
      part(members.map(i => pairs[i] as Pair)),
    )
    const { loss, gradNorm, lr } = trainer.step(parts, batch.length)
    const right = margins.reduce((sum, margin) => sum + (margin > 0 ? 1 : margin === 0 ? 0.5 : 0), 0)
    run.log(
      step,
      {
        loss,
        accuracy: right / margins.length,
        margin: margins.reduce((sum, margin) => sum + margin, 0) / margins.length,
        min_reward: Math.min(...rewards),
        mean_reward: rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length,
        max_reward: Math.max(...rewards),
        grad_norm: gradNorm,
        learning_rate: lr,
        'time/step': (performance.now() - started) / 1000,
      },
      `loss ${loss.toFixed(3)} accuracy ${(right / margins.length).toFixed(2)}`,
    )
  }
  measured()
}

/** A reading of 2B responses, chosen first → the two readings of B. */
export function splitReading({
  token,
  sequence,
  mask,
}: RewardReading): [chosen: RewardReading, rejected: RewardReading] {
  const half = (sequence.shape[0] as number) / 2
  const rows = (x: Tensor, start: number) => x.narrow(0, start, half)
  return [
    { token: rows(token, 0), sequence: rows(sequence, 0), mask: rows(mask, 0) },
    { token: rows(token, half), sequence: rows(sequence, half), mask: rows(mask, half) },
  ]
}
