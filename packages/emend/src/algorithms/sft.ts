/** Supervised fine-tuning: cross-entropy on the response, prompt masked. Also "SFT on the finals" of edits. */
import { z } from 'zod'
import { type Decoder, logprobs, mapInBatches, pack, responseRows } from '../models/index.js'
import { planMemory } from '../training/micro-batch.js'
import { Run } from '../training/run.js'
import { loraSetting, microBatchSetting, recomputeSetting } from '../training/settings.js'
import { weightsOf } from '../training/stateful.js'
import { annealed, type Part, Trainer } from '../training/trainer.js'
import { bucketedBatches, microBatches } from './batches.js'

export const sftConfig = z.strictObject({
  learning_rate: z.number().positive().default(3e-3).describe('peak learning rate, annealed linearly to 0'),
  epochs: z.number().int().positive().default(1).describe('passes over the examples'),
  batch_size: z.number().int().positive().default(32).describe('examples per optimizer step'),
  warmup_steps: z.number().int().nonnegative().default(40).describe('steps over which the learning rate rises from 0'),
  weight_decay: z.number().nonnegative().default(0.01).describe('decoupled weight decay (AdamW)'),
  max_grad_norm: z.number().positive().default(1).describe('the gradient is scaled down to this L2 norm'),
  lora: loraSetting,
  recompute: recomputeSetting,
  micro_batch_tokens: microBatchSetting(8192),
})
export type SftConfig = z.infer<typeof sftConfig>
/** What is to be given of it: everything has a default. */
export type SftSettings = z.input<typeof sftConfig>

export interface Example {
  readonly prompt: Int32Array
  /** Ends with EOS if the response is finished. */
  readonly response: Int32Array
}

/** Trains `model` in place on −log π(response | prompt), a mean over all response tokens of a batch. */
export async function sft(
  model: Decoder,
  examples: readonly Example[],
  config: SftConfig,
  seed: number,
  run = new Run(),
): Promise<void> {
  const lengths = examples.map(({ prompt, response }) => prompt.length + response.length)
  const perEpoch = Math.ceil(examples.length / config.batch_size)
  const total = perEpoch * config.epochs
  using trainer = new Trainer(model.trainable(), {
    name: 'sft',
    lr: config.learning_rate,
    schedule: annealed(config.warmup_steps, total),
    maxGradNorm: config.max_grad_norm,
    weightDecay: config.weight_decay,
    betas: [0.9, 0.98],
  })

  const longest = lengths.reduce((most, length) => Math.max(most, length), 2)
  const part = (chosen: readonly Example[], samples: Part['samples']): Part => ({
    samples,
    loss() {
      const sequences = pack(
        chosen.map(e => e.prompt),
        chosen.map(e => e.response),
        model.device,
      )
      return logprobs(model, sequences, { temperature: 1 }).logprobs.mul(sequences.mask).sum().neg()
    },
  })
  const { tokens: atOnce, measured } = planMemory(
    {
      name: 'sft',
      settings: config,
      models: [model],
      trainers: [trainer],
      trial: {
        longest,
        most: config.batch_size,
        parts: (samples, length) => [[trainer, part(Array(samples).fill(blank(length)), ['trial'])]],
      },
    },
    run,
  )

  let plan: Int32Array[] = []
  let planned = -1
  for await (const step of run.steps(total, { model: weightsOf(model), optimizer: trainer })) {
    const epoch = Math.floor(step / perEpoch)
    if (epoch !== planned) {
      plan = bucketedBatches(lengths, config.batch_size, seed, epoch)
      planned = epoch
    }
    const batch = plan[step % perEpoch] as Int32Array
    const tokens = batch.reduce((sum, i) => sum + (examples[i] as Example).response.length, 0)
    const started = performance.now()
    const parts = microBatches(batch, i => lengths[i] as number, atOnce).map(members =>
      part(
        members.map(i => examples[i] as Example),
        members,
      ),
    )
    const { loss, gradNorm, lr } = trainer.step(parts, tokens)
    const seconds = (performance.now() - started) / 1000
    run.log(
      step,
      {
        loss,
        grad_norm: gradNorm,
        learning_rate: lr,
        epoch: (step + 1) / perEpoch,
        'time/step': seconds,
        'throughput/tokens_per_second': batch.reduce((sum, i) => sum + (lengths[i] as number), 0) / seconds,
      },
      `loss ${loss.toFixed(3)}`,
    )
  }
  measured()
}

/** An example of a length, whatever it says. */
const blank = (length: number): Example => ({ prompt: new Int32Array(1), response: new Int32Array(length - 1) })

/** log π(a_t) of given responses, without gradient: [T] each. */
export function responseLogprobs(
  model: Decoder,
  prompts: readonly Int32Array[],
  responses: readonly Int32Array[],
  temperature = 1,
): Float32Array[] {
  return mapInBatches(
    prompts,
    responses,
    8192,
    batch => responseRows(logprobs(model, batch, { temperature }).logprobs, batch.lengths),
    model.device,
  )
}
