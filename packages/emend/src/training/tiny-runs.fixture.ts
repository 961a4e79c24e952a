/**
 * Every algorithm on a tiny model, in this process or as a child of exact-resume.test.ts that can be killed.
 *
 * As a child: `FOLDER ALGORITHM CHECKPOINT_EVERY [DIE_AT]`; each finished step is one line on stdout.
 */
import { createHash } from 'node:crypto'
import fs, { readdirSync, readFileSync, writeSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { hash32, setNumThreads } from '@emend/torch'
import { dpo, dpoConfig } from '../algorithms/dpo.js'
import type { Pair } from '../algorithms/pairs.js'
import { type PpoConfig, type PpoParts, ppo, ppoConfig } from '../algorithms/ppo.js'
import { rewardConfig, trainReward } from '../algorithms/reward.js'
import { type Example, sft, sftConfig } from '../algorithms/sft.js'
import {
  cloneDecoder,
  createDecoder,
  type Decoder,
  type DecoderShape,
  decoderConfig,
  scalarFrom,
  valueFrom,
} from '../models/index.js'
import { metricsDigest } from '../pipeline/run-folder.js'
import type { PaidReward } from '../rewards/paid.js'
import { RewardModel } from '../rewards/reward-model.js'
import { Run, type RunOptions } from './run.js'

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
    reference: cloneDecoder(policy),
    value: valueFrom(policy),
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

/** What depends on every kind of state: two epochs, minibatches, micro-batches, an adaptive β, a warm-up of the critic. */
const algorithms: Readonly<Record<string, (run: Run) => Promise<void>>> = {
  sft: run =>
    sft(
      tinyDecoder(),
      tinyExamples(40),
      sftConfig.parse({ epochs: 2, batch_size: 5, warmup_steps: 4, micro_batch_tokens: 40 }),
      3,
      run,
    ),
  reward: run =>
    trainReward(
      new RewardModel(scalarFrom(tinyDecoder(), 2), 'token', 'tiny'),
      tinyPairs(40),
      rewardConfig.parse({ epochs: 2, batch_size: 5, micro_batch_tokens: 80 }),
      3,
      run,
    ),
  dpo: run =>
    dpo(
      tinyDecoder(),
      tinyDecoder(),
      tinyPairs(40),
      dpoConfig.parse({ epochs: 2, batch_size: 5, learning_rate: 1e-3, micro_batch_tokens: 80 }),
      3,
      run,
    ),
  ppo: run =>
    ppo(
      tinyParts(tinyDecoder(), {
        decode: ids => ids.join(' '),
        evaluate: policy => ({ 'test/norm': policy.model.norm.weight.floats()[0] as number }),
      }),
      tinyPpo({
        steps: 12,
        epochs: 2,
        value_warmup_steps: 1,
        learning_rate: 3e-3,
        kl_coef: 0.2,
        kl_target: 0.5,
        kl_horizon: 50,
        micro_batch_tokens: 40,
      }),
      3,
      run,
    ),
}

export const algorithmNames = Object.keys(algorithms)

/** Trains `name` from the start, or from where `options.folder` stands. */
export async function runTiny(name: string, options: RunOptions): Promise<void> {
  setNumThreads(1)
  await (algorithms[name] as (run: Run) => Promise<void>)(new Run(options))
}

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

/** SHA-256 of the last checkpoint's weights and optimizers, of both logs, and the plain state; byte positions are left out. */
export function digestsOf(folder: string): Record<string, unknown> {
  const checkpoints = join(folder, 'checkpoints')
  const last = join(
    checkpoints,
    readdirSync(checkpoints)
      .filter(name => name.startsWith('step-'))
      .sort()
      .at(-1) as string,
  )
  const { logs: _, ...values } = JSON.parse(readFileSync(join(last, 'state.json'), 'utf8')) as Record<string, unknown>
  const tensors = readdirSync(last).filter(name => name.endsWith('.safetensors'))
  return {
    values,
    ...Object.fromEntries(tensors.map(name => [name, sha256(join(last, name))])),
    metrics: metricsDigest(join(folder, 'metrics.jsonl')),
    ...(fs.existsSync(join(folder, 'rollouts.jsonl')) && { rollouts: sha256(join(folder, 'rollouts.jsonl')) }),
  }
}

/** Kills this process just before its nth sync of a file to the disk, which only checkpoints do. */
function dieAtSync(n: number): void {
  const { fsyncSync } = fs
  let count = 0
  fs.fsyncSync = file => {
    if (++count === n) process.kill(process.pid, 'SIGKILL')
    fsyncSync(file)
  }
  syncBuiltinESMExports()
}

const [folder, name, every, dieAt] = process.argv.slice(2)
if (process.env['EMEND_TINY_RUN'] && folder && name) {
  if (dieAt) dieAtSync(Number(dieAt))
  await runTiny(name, { folder, checkpointEvery: Number(every), onProgress: done => void writeSync(1, `${done}\n`) })
}
