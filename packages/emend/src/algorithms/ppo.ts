/**
 * Proximal policy optimisation with a reward at every token.
 *
 * Ordinary RLHF and fine-grained RLHF are this same file: they differ in the `reward` that is passed in.
 * Sources: Schulman et al. 2017 (PPO), Ziegler et al. 2019 (KL to a reference), Xu et al. 2024 (token-level rewards).
 * What each logged metric means stands in docs/metrics.md.
 */
import { noGrad, scope, type Tensor, tensor, torch } from '@emend/torch'
import { z } from 'zod'
import { repeats } from '../evaluation/repeats.js'
import { explainedVariance, mean, standardDeviation } from '../evaluation/statistics.js'
import { type Generated, generate, usualRows } from '../generation/index.js'
import {
  type Decoder,
  logprobs,
  mapInBatches,
  pack,
  responseRows,
  type ScalarModel,
  type Sequences,
  valuesAt,
} from '../models/index.js'
import type { PaidReward } from '../rewards/paid.js'
import { planMemory } from '../training/micro-batch.js'
import { Run } from '../training/run.js'
import { loraSetting, microBatchSetting, recomputeSetting } from '../training/settings.js'
import { weightsOf } from '../training/stateful.js'
import { annealed, type Part, type StepStats, Trainer } from '../training/trainer.js'
import { microBatches, permutation } from './batches.js'
import { AdaptiveKL, fixedKL, k3 } from './kl.js'
import { policyLoss, valueLoss } from './losses.js'
import { type Trajectory, trajectories } from './rollouts/trajectory.js'
import { responseLogprobs } from './sft.js'

export const ppoConfig = z.strictObject({
  steps: z
    .number()
    .int()
    .positive()
    .default(60)
    .describe('rollout batches, each sampled from the policy as it then stands'),
  rollouts: z.number().int().positive().default(128).describe('responses sampled per step'),
  minibatch_size: z.number().int().positive().default(64).describe('responses per optimizer step'),
  epochs: z.number().int().positive().default(1).describe('passes over each rollout batch'),
  learning_rate: z.number().positive().default(3e-4).describe('of the policy; annealed linearly to 0'),
  value_learning_rate: z.number().positive().default(1e-3).describe('of the value model; annealed linearly to 0'),
  warmup_steps: z
    .number()
    .int()
    .nonnegative()
    .default(5)
    .describe('optimizer steps over which the learning rates rise from 0'),
  value_warmup_steps: z
    .number()
    .int()
    .nonnegative()
    .default(0)
    .describe('first rollout batches on which only the value model learns'),
  kl_coef: z
    .number()
    .nonnegative()
    .default(0.1)
    .describe('β: reward per nat that the policy moves away from its reference'),
  kl_target: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe('nats per response for an adaptive β; null keeps β fixed'),
  kl_horizon: z.number().positive().default(10_000).describe('samples over which the adaptive β corrects a full error'),
  kl_stop: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe('stops learning from a rollout batch when approxkl (to the old policy) exceeds this; null never'),
  gamma: z.number().min(0).max(1).default(1).describe('discount γ'),
  lambda: z.number().min(0).max(1).default(0.95).describe('GAE λ'),
  clip: z.number().positive().default(0.2).describe('policy ratios are clipped to 1 ± this'),
  value_clip: z.number().positive().default(0.4).describe('values are clipped to the old value ± this'),
  missing_eos_penalty: z.number().default(-1).describe('added to the last reward of a response that did not end'),
  whiten_rewards: z
    .boolean()
    .default(false)
    .describe('scales rewards to unit variance over the batch, keeping their mean'),
  whiten_advantages: z
    .boolean()
    .default(true)
    .describe('advantages to mean 0 and variance 1, once, over the whole rollout batch'),
  max_new_tokens: z.number().int().positive().default(64).describe('longest response'),
  temperature: z
    .number()
    .positive()
    .default(1)
    .describe('divides the logits when sampling and when computing log-probabilities'),
  max_grad_norm: z.number().positive().default(1).describe('gradients are scaled down to this L2 norm'),
  lora: loraSetting,
  recompute: recomputeSetting,
  micro_batch_tokens: microBatchSetting(8192),
  logged_rollouts: z.number().int().nonnegative().default(16).describe('samples per step written to rollouts.jsonl'),
  evaluate_every: z
    .number()
    .int()
    .positive()
    .default(10)
    .describe('steps between evaluations on held-out prompts, where there are any'),
})
export type PpoConfig = z.infer<typeof ppoConfig>
/** What is to be given of it: everything has a default. */
export type PpoSettings = z.input<typeof ppoConfig>

export interface PpoParts {
  /** Trained in place. */
  readonly policy: Decoder
  /** Held fixed: the policy is kept near it. */
  readonly reference: Decoder
  /** Trained in place; its trunk comes from the reward model or from SFT. */
  readonly value: ScalarModel
  readonly prompts: readonly Int32Array[]
  readonly reward: PaidReward
  /** Ids that end a response. */
  readonly eos: readonly number[]
  /** Text of ids, for the rollout log. */
  readonly decode?: (ids: Int32Array) => string
  /** Logged every `evaluate_every` steps. */
  readonly evaluate?: (policy: Decoder) => Record<string, number>
}

/** Trains `policy` and `value` in place. */
export async function ppo(parts: PpoParts, config: PpoConfig, seed: number, run = new Run()): Promise<void> {
  const { policy, reference, value, prompts, eos } = parts
  const trainerOf = (name: string, model: Decoder | ScalarModel, lr: number, batches: number) =>
    new Trainer(model.trainable(), {
      name,
      lr,
      schedule: annealed(config.warmup_steps, batches * updatesPerBatch(config)),
      maxGradNorm: config.max_grad_norm,
      eps: 1e-5,
    })
  using policyTrainer = trainerOf(
    'policy',
    policy,
    config.learning_rate,
    Math.max(0, config.steps - config.value_warmup_steps),
  )
  using valueTrainer = trainerOf('value', value, config.value_learning_rate, config.steps)
  const kl =
    config.kl_target === null
      ? fixedKL(config.kl_coef)
      : new AdaptiveKL(config.kl_coef, config.kl_target, config.kl_horizon)

  const longest = Math.min(
    prompts.reduce((most, prompt) => Math.max(most, prompt.length), 0) + config.max_new_tokens,
    policy.config.maxPositions,
  )
  const {
    tokens: atOnce,
    look,
    measured,
  } = planMemory(
    {
      name: 'ppo',
      settings: config,
      models: [policy, value, reference],
      trainers: [policyTrainer, valueTrainer],
      cache: { rows: Math.min(config.rollouts, usualRows(policy.device)), length: longest },
      trial: {
        longest,
        most: config.minibatch_size,
        parts: (samples, length) => {
          const members = Array<Trajectory>(samples).fill(blank(length, config.max_new_tokens))
          return [
            [policyTrainer, policyPart(members, policy, config, new PolicyStats())],
            [valueTrainer, valuePart(members, value, config, new PolicyStats())],
          ]
        },
      },
    },
    run,
  )
  const owners = { policy: weightsOf(policy), value: weightsOf(value), policyTrainer, valueTrainer, kl }
  for await (const step of run.steps(config.steps, owners)) {
    // 1. Sample. The random number of a token is a function of (seed, sample, position): no state to keep.
    const clock = stopwatch()
    const indices = promptsOfStep(prompts.length, config.rollouts, step, seed)
    const batch = indices.map(i => prompts[i] as Int32Array)
    const generated = generate(policy, batch, {
      maxNewTokens: config.max_new_tokens,
      temperature: config.temperature,
      topK: 0,
      topP: 1,
      eos,
      seed,
      requests: indices.map((_, i) => step * config.rollouts + i),
      // The cache of all rows is there; often it is the most that a step takes.
      onProgress: look,
    })
    const responses = generated.map(g => g.ids)
    const generateTime = clock()

    // 2. Score: the reward at every token, the reference's log-probabilities, the values before each token.
    const paid = parts.reward({ indices, prompts: batch, responses: generated })
    const refLogprobs = responseLogprobs(reference, batch, responses, config.temperature)
    const values = valuesOf(value, batch, responses)

    // 3. Rewards − β·KL, advantages, returns; whitened once over the whole batch.
    const rollout = trajectories(
      generated.map((g, i) => ({
        index: indices[i] as number,
        prompt: batch[i] as Int32Array,
        response: g.ids,
        ended: g.ended,
        logprobs: g.logprobs,
        refLogprobs: refLogprobs[i] as Float32Array,
        values: values[i] as Float32Array,
        paid: paid[i] as Float32Array,
      })),
      { ...config, kl_coef: kl.coef },
      step,
    )
    const scoreTime = clock()

    // 4. Learn: a few epochs of clipped updates on minibatches.
    const learned = learn(rollout, { policy, value, policyTrainer, valueTrainer, config, atOnce, seed, step })
    const learnTime = clock()

    // 5. Report, then let the controller move β for the next step.
    const reported = metricsOf(rollout, generated, kl.coef, step)
    const times = { generate: generateTime, score: scoreTime, learn: learnTime }
    const due = (step + 1) % config.evaluate_every === 0 || step + 1 === config.steps
    const evaluated = due ? parts.evaluate?.(policy) : undefined
    run.log(step, { ...reported, ...learned, ...evaluated, ...timesOf(times, rollout) }, noteOf(reported))
    if (run.keepsRollouts)
      for (const line of rolloutLines(rollout, step, config.logged_rollouts, parts.decode)) run.logRollout(line)
    kl.update(reported['objective/kl'] as number, rollout.length)
  }
  measured()
}

/** A sample of a length, whatever it says. */
function blank(length: number, longestResponse: number): Trajectory {
  const response = Math.min(longestResponse, length - 1)
  const row = new Float32Array(response)
  const said = { logprobs: row, refLogprobs: row, values: row, paid: row, rewards: row, kl: row }
  return {
    index: 0,
    prompt: new Int32Array(length - response),
    response: new Int32Array(response),
    ended: false,
    ...said,
    advantages: row,
    returns: row,
  }
}

/** Optimizer steps on one rollout batch, if the KL stops none. */
const updatesPerBatch = ({ epochs, rollouts, minibatch_size }: PpoConfig) =>
  epochs * Math.ceil(rollouts / minibatch_size)

/** Which prompts a step samples: each epoch over the prompts is a fresh permutation. */
export function promptsOfStep(prompts: number, rollouts: number, step: number, seed: number): number[] {
  const permutations = new Map<number, Int32Array>()
  return Array.from({ length: rollouts }, (_, i) => {
    const place = step * rollouts + i
    const epoch = Math.floor(place / prompts)
    const order = permutations.get(epoch) ?? permutation(prompts, seed, epoch, 0x99e)
    permutations.set(epoch, order)
    return order[place % prompts] as number
  })
}

interface Learner {
  readonly policy: Decoder
  readonly value: ScalarModel
  readonly policyTrainer: Trainer
  readonly valueTrainer: Trainer
  readonly config: PpoConfig
  /** padded tokens of a micro-batch */
  readonly atOnce: number
  readonly seed: number
  readonly step: number
}

/** The inner epochs over one rollout batch. */
function learn(rollout: readonly Trajectory[], learner: Learner): Record<string, number> {
  const { policy, value, policyTrainer, valueTrainer, config, atOnce, seed, step } = learner
  const seen: MinibatchStats[] = []
  for (let epoch = 0; epoch < config.epochs; epoch++) {
    const order = permutation(rollout.length, seed, step, epoch)
    for (let start = 0; start < order.length; start += config.minibatch_size) {
      const minibatch = order.slice(start, start + config.minibatch_size)
      const tokens = minibatch.reduce((sum, i) => sum + (rollout[i] as Trajectory).response.length, 0)
      const lengthOf = (i: number) =>
        (rollout[i] as Trajectory).prompt.length + (rollout[i] as Trajectory).response.length
      const micro = microBatches(minibatch, lengthOf, atOnce)
      const stats = new PolicyStats()
      const policyStep =
        step < config.value_warmup_steps
          ? undefined
          : policyTrainer.step(
              micro.map(part =>
                policyPart(
                  part.map(i => rollout[i] as Trajectory),
                  policy,
                  config,
                  stats,
                ),
              ),
              tokens,
            )
      const valueStep = valueTrainer.step(
        micro.map(part =>
          valuePart(
            part.map(i => rollout[i] as Trajectory),
            value,
            config,
            stats,
          ),
        ),
        tokens,
      )
      seen.push({ policyStep, valueStep, ...stats.means() })
      if (config.kl_stop !== null && stats.means().approxkl > config.kl_stop) {
        // The learning rates fall as planned, so that they end at 0 all the same.
        const skipped = updatesPerBatch(config) - seen.length
        for (const trainer of [policyTrainer, valueTrainer]) trainer.skip(skipped)
        return learnMetrics(seen)
      }
    }
  }
  return learnMetrics(seen)
}

/** −min(ρA, clip(ρ)A) over one micro-batch. */
function policyPart(samples: readonly Trajectory[], policy: Decoder, config: PpoConfig, stats: PolicyStats): Part {
  return {
    samples: samples.map(sample => sample.index),
    loss() {
      const batch = packSamples(samples, policy)
      const current = logprobs(policy, batch, { temperature: config.temperature, entropy: true })
      const old = padded(
        samples.map(s => s.logprobs),
        batch,
      )
      const advantages = padded(
        samples.map(s => s.advantages),
        batch,
      )
      stats.addPolicy(current.logprobs, old, current.entropy as Tensor, batch.mask, config.clip)
      return policyLoss(current.logprobs, old, advantages, batch.mask, config.clip)
    },
  }
}

/** ½·max of the two squared errors over one micro-batch. */
function valuePart(samples: readonly Trajectory[], value: ScalarModel, config: PpoConfig, stats: PolicyStats): Part {
  return {
    samples: samples.map(sample => sample.index),
    loss() {
      const batch = packSamples(samples, value)
      const current = valuesAt(value, batch)
      const old = padded(
        samples.map(s => s.values),
        batch,
      )
      const returns = padded(
        samples.map(s => s.returns),
        batch,
      )
      stats.addValue(current, old, batch.mask, config.value_clip)
      return valueLoss(current, old, returns, batch.mask, config.value_clip)
    },
  }
}

function packSamples(samples: readonly Trajectory[], model: Decoder | ScalarModel): Sequences {
  return pack(
    samples.map(s => s.prompt),
    samples.map(s => s.response),
    model.device,
  )
}

/** Ragged rows → [B, T] float32 beside `batch`, zero where there is no token. */
function padded(rows: readonly Float32Array[], batch: Sequences): Tensor {
  const width = batch.mask.shape[1] as number
  const data = new Float32Array(rows.length * width)
  for (const [i, row] of rows.entries()) data.set(row, i * width)
  return tensor(data, { shape: [rows.length, width], device: batch.mask.device })
}

/** V(s_t) of every response, without gradient: [T] each. */
function valuesOf(
  value: ScalarModel,
  prompts: readonly Int32Array[],
  responses: readonly Int32Array[],
): Float32Array[] {
  const rows = (batch: Sequences) => responseRows(valuesAt(value, batch), batch.lengths)
  return mapInBatches(prompts, responses, 8192, rows, value.device)
}

/** Token sums over the micro-batches of one minibatch. */
class PolicyStats {
  #tokens = 0
  #valueTokens = 0
  #sums = { approxkl: 0, clipped: 0, entropy: 0, ratio: 0, ratioSquared: 0, valueClipped: 0 }

  addPolicy(logprobs: Tensor, old: Tensor, entropy: Tensor, mask: Tensor, clip: number): void {
    scope(() =>
      noGrad(() => {
        const difference = logprobs.sub(old).mul(mask)
        const ratio = difference.exp()
        const summed = torch
          .stack([
            difference.square().sum().mul(0.5),
            ratio.sub(1).abs().gt(clip).mul(mask).sum().to('float32'),
            entropy.mul(mask).sum(),
            ratio.mul(mask).sum(),
            ratio.square().mul(mask).sum(),
            mask.sum().to('float32'),
          ])
          .floats()
        const [approxkl, clipped, entropySum, ratioSum, ratioSquared, tokens] = summed as unknown as number[]
        this.#sums.approxkl += approxkl as number
        this.#sums.clipped += clipped as number
        this.#sums.entropy += entropySum as number
        this.#sums.ratio += ratioSum as number
        this.#sums.ratioSquared += ratioSquared as number
        this.#tokens += tokens as number
      }),
    )
  }

  addValue(values: Tensor, old: Tensor, mask: Tensor, clip: number): void {
    scope(() =>
      noGrad(() => {
        this.#sums.valueClipped += values.sub(old).abs().gt(clip).mul(mask).sum().item()
        this.#valueTokens += mask.sum().item()
      }),
    )
  }

  /** Per-token means; NaN-free also when the policy did not learn (value warm-up). */
  means() {
    const tokens = Math.max(1, this.#tokens)
    const { approxkl, clipped, entropy, ratio, ratioSquared, valueClipped } = this.#sums
    const meanRatio = ratio / tokens
    return {
      approxkl: approxkl / tokens,
      clipfrac: clipped / tokens,
      entropy: entropy / tokens,
      ratio: meanRatio,
      ratioVariance: Math.max(0, ratioSquared / tokens - meanRatio ** 2),
      valueClipfrac: valueClipped / Math.max(1, this.#valueTokens),
    }
  }
}

type MinibatchStats = ReturnType<PolicyStats['means']> & { policyStep?: StepStats; valueStep: StepStats }

function learnMetrics(seen: readonly MinibatchStats[]): Record<string, number> {
  const average = (of: (s: MinibatchStats) => number) => mean(seen.map(of))
  const policySteps = seen.flatMap(s => s.policyStep ?? [])
  return {
    'loss/value_avg': average(s => s.valueStep.loss),
    'val/clipfrac_avg': average(s => s.valueClipfrac),
    'grad_norm/value': average(s => s.valueStep.gradNorm),
    ...(policySteps.length > 0 && {
      'loss/policy_avg': mean(policySteps.map(s => s.loss)),
      'policy/approxkl_avg': average(s => s.approxkl),
      'policy/clipfrac_avg': average(s => s.clipfrac),
      'policy/entropy_avg': average(s => s.entropy),
      'val/ratio': average(s => s.ratio),
      'val/ratio_var': average(s => s.ratioVariance),
      'grad_norm/policy': mean(policySteps.map(s => s.gradNorm)),
      lr: (policySteps.at(-1) as StepStats).lr,
    }),
  }
}

/** What the rollout itself tells, by the names of docs/metrics.md. */
function metricsOf(
  rollout: readonly Trajectory[],
  generated: readonly Generated[],
  klCoef: number,
  step: number,
): Record<string, number> {
  const total = (row: Float32Array) => row.reduce((sum, x) => sum + x, 0)
  const scores = rollout.map(sample => total(sample.paid))
  const kl = rollout.map(sample => total(sample.kl))
  const nonScore = kl.map(nats => -klCoef * nats)
  const lengths = rollout.map(sample => sample.response.length)
  const ended = generated.filter(g => g.ended).length
  const tokens = lengths.reduce((sum, n) => sum + n, 0)
  return {
    'objective/kl': mean(kl),
    'objective/kl_k3': mean(rollout.map(sample => total(k3(sample.logprobs, sample.refLogprobs)))),
    'objective/kl_coef': klCoef,
    'objective/entropy': mean(rollout.map(sample => -total(sample.logprobs))),
    'objective/scores': mean(scores),
    'objective/scores_std': standardDeviation(scores, 0),
    'objective/token_reward': scores.reduce((sum, x) => sum + x, 0) / tokens,
    'objective/non_score_reward': mean(nonScore),
    'objective/rlhf_reward': mean(scores.map((score, i) => score + (nonScore[i] as number))),
    'objective/fraction_ended': ended / rollout.length,
    'val/num_eos_tokens': ended,
    'val/explained_var': explainedVariance(
      rollout.flatMap(sample => Array.from(sample.values)),
      rollout.flatMap(sample => Array.from(sample.returns)),
    ),
    'response_length/mean': mean(lengths),
    'response_length/clip_ratio': 1 - ended / rollout.length,
    'response/repeats': mean(rollout.map(sample => repeats(sample.response))),
    episode: (step + 1) * rollout.length,
  }
}

const noteOf = (metrics: Record<string, number>) =>
  `reward ${(metrics['objective/scores'] as number).toFixed(2)} kl ${(metrics['objective/kl'] as number).toFixed(2)} length ${(metrics['response_length/mean'] as number).toFixed(0)}`

function timesOf(
  seconds: { generate: number; score: number; learn: number },
  rollout: readonly Trajectory[],
): Record<string, number> {
  const tokens = rollout.reduce((sum, sample) => sum + sample.response.length, 0)
  const all = seconds.generate + seconds.score + seconds.learn
  return {
    'time/generate': seconds.generate,
    'time/score': seconds.score,
    'time/learn': seconds.learn,
    'throughput/tokens_per_second': tokens / all,
  }
}

/** Lines of rollouts.jsonl, in RLLoggingBoard's names. */
function* rolloutLines(
  rollout: readonly Trajectory[],
  step: number,
  count: number,
  decode?: (ids: Int32Array) => string,
) {
  const numbers = (row: Float32Array) => Array.from(row, x => Number(x.toPrecision(6)))
  for (const sample of rollout.slice(0, count)) {
    yield {
      step,
      prompt: decode?.(sample.prompt) ?? '',
      response: decode?.(sample.response) ?? '',
      prompt_index: sample.index,
      response_tokens: decode ? Array.from(sample.response, id => decode(Int32Array.of(id))) : [],
      response_ids: Array.from(sample.response),
      ended: sample.ended,
      logprobs: numbers(sample.logprobs),
      ref_logprobs: numbers(sample.refLogprobs),
      values: numbers(sample.values),
      token_rewards: numbers(sample.paid),
      reward: Number(sample.paid.reduce((sum, x) => sum + x, 0).toPrecision(6)),
      kl: Number(sample.kl.reduce((sum, x) => sum + x, 0).toPrecision(6)),
    }
  }
}

/** Seconds since it was last asked. */
function stopwatch(): () => number {
  let last = performance.now()
  return () => {
    const now = performance.now()
    const seconds = (now - last) / 1000
    last = now
    return seconds
  }
}
