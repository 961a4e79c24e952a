/** Tiny models, prompts, pairs and a reward for the tests of training, and plain oracles of what models say. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hash32, type Module, noGrad, scope, tensor } from '@emend/torch'
import type { Pair } from '../algorithms/pairs.js'
import { type PpoConfig, type PpoParts, ppoConfig } from '../algorithms/ppo.js'
import type { Example } from '../algorithms/sft.js'
import {
  cloneDecoder,
  createDecoder,
  type Decoder,
  type DecoderShape,
  decoderConfig,
  type ScalarModel,
  valueFrom,
} from '../models/index.js'
import { type MetricsRow, readJsonl, readMetrics } from '../pipeline/run-folder.js'
import type { PaidReward } from '../rewards/paid.js'
import { Run } from './run.js'

export const EOS = 1
/** Tokens that good responses are made of, and bad ones. */
export const GOOD = [4, 5, 6, 7, 8, 9]
export const BAD = [10, 11, 12, 13, 14, 15]

export const tinyDecoder = (seed = 1, shape: Partial<DecoderShape> = {}): Decoder =>
  createDecoder(
    decoderConfig({
      vocabSize: 32,
      hiddenSize: 16,
      intermediateSize: 32,
      layers: 1,
      heads: 2,
      maxPositions: 64,
      eos: [EOS],
      ...shape,
    }),
    seed,
  )

const draw = (from: readonly number[], n: number, ...key: number[]) =>
  Int32Array.from({ length: n }, (_, t) => from[hash32(...key, t) % from.length] as number)
const withEos = (ids: Int32Array) => Int32Array.of(...ids, EOS)

/** Prompts of 2 to 6 tokens that are neither good nor bad. */
export const tinyPrompts = (n: number): Int32Array[] =>
  Array.from({ length: n }, (_, i) => draw([16, 17, 18, 19, 20, 21, 22, 23], 2 + (hash32(7, i) % 5), 8, i))

/** A few good tokens, then EOS. */
export const tinyExamples = (n: number): Example[] =>
  tinyPrompts(n).map((prompt, i) => ({ prompt, response: withEos(draw(GOOD, 3 + (hash32(9, i) % 6), 10, i)) }))

/** The chosen side is made of good tokens, the rejected one of bad. */
export const tinyPairs = (n: number): Pair[] =>
  tinyPrompts(n).map((prompt, i) => ({
    id: `pair-${i}`,
    prompt,
    chosen: { ids: withEos(draw(GOOD, 2 + (hash32(11, i) % 6), 12, i)), ended: true },
    rejected: { ids: withEos(draw(BAD, 2 + (hash32(13, i) % 6), 14, i)), ended: true },
    source: 'preference',
  }))

/** At the last token: the share of good tokens in the response. */
export const goodShare: PaidReward = ({ responses }) =>
  responses.map(({ ids }) => {
    const paid = new Float32Array(ids.length)
    paid[ids.length - 1] = ids.filter(id => GOOD.includes(id)).length / ids.length
    return paid
  })

/** PPO's parts around a policy of its own; the reference is the policy as it starts. */
export function tinyParts(policy: Decoder = tinyDecoder(), parts: Partial<PpoParts> = {}): PpoParts {
  return {
    policy,
    reference: parts.reference ?? cloneDecoder(policy),
    value: parts.value ?? valueFrom(policy),
    prompts: tinyPrompts(10),
    reward: goodShare,
    eos: policy.config.eos,
    ...parts,
  }
}

export const tinyPpo = (config: Partial<PpoConfig> = {}): PpoConfig =>
  ppoConfig.parse({
    steps: 3,
    rollouts: 8,
    minibatch_size: 4,
    max_new_tokens: 8,
    warmup_steps: 0,
    evaluate_every: 4,
    ...config,
  })

/** Runs `train` in a folder of its own, which is gone afterwards, and gives what it logged. */
export async function logged(
  train: (run: Run) => Promise<void>,
): Promise<{ metrics: MetricsRow[]; rollouts: Rollout[]; state: Record<string, Record<string, number>> }> {
  const folder = mkdtempSync(join(tmpdir(), 'emend-tiny-'))
  try {
    await train(new Run({ folder }))
    const rollouts = join(folder, 'rollouts.jsonl')
    return {
      metrics: readMetrics(join(folder, 'metrics.jsonl')),
      rollouts: existsSync(rollouts) ? [...readJsonl<Rollout>(rollouts)] : [],
      state: JSON.parse(readFileSync(join(lastCheckpoint(folder), 'state.json'), 'utf8')),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** A line of rollouts.jsonl. */
export interface Rollout {
  readonly step: number
  readonly prompt_index: number
  readonly response_ids: number[]
  readonly ended: boolean
  readonly logprobs: number[]
  readonly ref_logprobs: number[]
  readonly values: number[]
  readonly token_rewards: number[]
  readonly reward: number
  readonly kl: number
}

/** Every weight of a model, one after the other. */
export const weights = (model: Module): number[] =>
  [...model.parameters().values()].flatMap(weight => [...weight.floats()])

/** The hidden states of prompt and response alone, unpadded: a row of logits, or one score, for every position. */
function readWhole(model: Decoder | ScalarModel, prompt: ArrayLike<number>, response: ArrayLike<number>): number[][] {
  return scope(() =>
    noGrad(() => {
      const whole = [...Array.from(prompt), ...Array.from(response)]
      const ids = tensor(Int32Array.from(whole), { shape: [1, whole.length], dtype: 'int64' })
      const read = 'logits' in model ? model.logits(model.hidden(ids)).select(0, 0) : model.scores(ids).view([-1, 1])
      return read.tolist() as number[][]
    }),
  )
}

/** log π(a_t), by the definition of the softmax, in double precision: the oracle for what is computed in batches. */
export function plainLogprobs(
  model: Decoder,
  prompt: ArrayLike<number>,
  response: ArrayLike<number>,
  temperature = 1,
): number[] {
  const rows = readWhole(model, prompt, response)
  return Array.from(response, (id, t) => {
    const logits = (rows[prompt.length + t - 1] as number[]).map(logit => logit / temperature)
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0)
    return (logits[id] as number) - Math.log(total)
  })
}

/** The scalar model's number at every response token: r_t. */
export const plainScores = (model: ScalarModel, prompt: ArrayLike<number>, response: ArrayLike<number>): number[] =>
  readWhole(model, prompt, response).slice(prompt.length).flat()

/** The folder of a run's newest checkpoint. */
export function lastCheckpoint(folder: string): string {
  const checkpoints = join(folder, 'checkpoints')
  const names = readdirSync(checkpoints).filter(name => name.startsWith('step-'))
  return join(checkpoints, names.sort().at(-1) as string)
}
