/** Direct preference optimisation (Rafailov et al. 2023) on either kind of pair. */
import { tensor } from '@emend/torch'
import { z } from 'zod'
import { type Decoder, logprobs, pack } from '../models/index.js'
import { planMemory } from '../training/micro-batch.js'
import { Run } from '../training/run.js'
import { loraSetting, microBatchSetting, recomputeSetting } from '../training/settings.js'
import { weightsOf } from '../training/stateful.js'
import { annealed, type Part, Trainer } from '../training/trainer.js'
import { bucketedBatches, microBatches } from './batches.js'
import { dpoLoss } from './losses.js'
import { blankPair, bothSides, type Pair, pairLength } from './pairs.js'
import { responseLogprobs } from './sft.js'

export const dpoConfig = z.strictObject({
  beta: z.number().positive().default(0.1).describe('strength of the implied KL penalty'),
  learning_rate: z.number().positive().default(1e-5).describe('peak learning rate, annealed linearly to 0'),
  epochs: z.number().int().positive().default(1).describe('passes over the pairs'),
  batch_size: z.number().int().positive().default(32).describe('pairs per optimizer step'),
  warmup_steps: z.number().int().nonnegative().default(10).describe('steps over which the learning rate rises from 0'),
  max_grad_norm: z.number().positive().default(1).describe('the gradient is scaled down to this L2 norm'),
  lora: loraSetting,
  recompute: recomputeSetting,
  micro_batch_tokens: microBatchSetting(16384),
})
export type DpoConfig = z.infer<typeof dpoConfig>
/** What is to be given of it: everything has a default. */
export type DpoSettings = z.input<typeof dpoConfig>

/** Trains `policy` in place; the reference is `policy` as it stands when the run first starts, given as `reference`. */
export async function dpo(
  policy: Decoder,
  reference: Decoder,
  pairs: readonly Pair[],
  config: DpoConfig,
  seed: number,
  run = new Run(),
): Promise<void> {
  const sum = (row: Float32Array) => row.reduce((total, x) => total + x, 0)
  const prompts = pairs.map(pair => pair.prompt)
  const refChosen = responseLogprobs(
    reference,
    prompts,
    pairs.map(p => p.chosen.ids),
  ).map(sum)
  const refRejected = responseLogprobs(
    reference,
    prompts,
    pairs.map(p => p.rejected.ids),
  ).map(sum)
  const lengths = pairs.map(pairLength)
  const perEpoch = Math.ceil(pairs.length / config.batch_size)
  const total = perEpoch * config.epochs
  using trainer = new Trainer(policy.trainable(), {
    name: 'dpo',
    lr: config.learning_rate,
    schedule: annealed(config.warmup_steps, total),
    maxGradNorm: config.max_grad_norm,
    eps: 1e-5,
  })

  let margins: number[] = []
  const part = (chosen: readonly Pair[], refs: readonly (readonly [chosen: number, rejected: number])[]): Part => ({
    samples: chosen.map(pair => pair.id),
    loss() {
      const { device } = policy
      const sides = bothSides(chosen)
      const sequences = pack(sides.prompts, sides.responses, device)
      const total = logprobs(policy, sequences, { temperature: 1 }).logprobs.mul(sequences.mask).sum([1])
      const better = total.narrow(0, 0, chosen.length)
      const worse = total.narrow(0, chosen.length, chosen.length)
      const ref = (side: 0 | 1) =>
        tensor(
          Float32Array.from(refs, pair => pair[side]),
          { device },
        )
      margins.push(
        ...better
          .sub(ref(0))
          .sub(worse.sub(ref(1)))
          .mul(config.beta)
          .floats(),
      )
      return dpoLoss(better, worse, ref(0), ref(1), config.beta).sum()
    },
  })
  const { tokens: atOnce, measured } = planMemory(
    {
      name: 'dpo',
      settings: config,
      models: [policy, reference],
      trainers: [trainer],
      trial: {
        longest: 2 * lengths.reduce((most, length) => Math.max(most, length), 2),
        most: config.batch_size,
        parts: (samples, length) => [
          [trainer, part(Array(samples).fill(blankPair(Math.ceil(length / 2))), Array(samples).fill([0, 0]))],
        ],
      },
    },
    run,
  )

  for await (const step of run.steps(total, { model: weightsOf(policy), optimizer: trainer })) {
    const plan = bucketedBatches(lengths, config.batch_size, seed, Math.floor(step / perEpoch))
    const batch = plan[step % perEpoch] as Int32Array
    margins = []
    const started = performance.now()
    const parts = microBatches(batch, i => 2 * (lengths[i] as number), atOnce).map(members =>
      part(
        members.map(i => pairs[i] as Pair),
        members.map(i => [refChosen[i] as number, refRejected[i] as number] as const),
      ),
    )
    const { loss, gradNorm, lr } = trainer.step(parts, batch.length)
    const accuracy = margins.filter(margin => margin > 0).length / margins.length
    run.log(
      step,
      {
        loss,
        accuracy,
        margin: margins.reduce((total, margin) => total + margin, 0) / margins.length,
        grad_norm: gradNorm,
        learning_rate: lr,
        'time/step': (performance.now() - started) / 1000,
      },
      `loss ${loss.toFixed(3)} accuracy ${accuracy.toFixed(2)}`,
    )
  }
  measured()
}
