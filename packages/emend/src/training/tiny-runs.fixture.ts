/**
 * Every algorithm on a tiny model, in this process or as a child of exact-resume.test.ts that can be killed.
 *
 * As a child: `FOLDER ALGORITHM CHECKPOINT_EVERY [DIE_AT]`; each finished step is one line on stdout.
 */
import { createHash } from 'node:crypto'
import fs, { readdirSync, readFileSync, writeSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { setNumThreads } from '@emend/torch'
import { dpo, dpoConfig } from '../algorithms/dpo.js'
import { ppo } from '../algorithms/ppo.js'
import { rewardConfig, trainReward } from '../algorithms/reward.js'
import { sft, sftConfig } from '../algorithms/sft.js'
import { adaptedDecoder, adaptedScalar, scalarFrom } from '../models/index.js'
import { metricsDigest } from '../pipeline/run-folder.js'
import { RewardModel } from '../rewards/reward-model.js'
import { Run, type RunOptions } from './run.js'
import { lastCheckpoint, tinyDecoder, tinyExamples, tinyPairs, tinyParts, tinyPpo } from './tiny.fixture.js'

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
  'sft, bfloat16': run =>
    sft(
      tinyDecoder().to('bfloat16'),
      tinyExamples(40),
      sftConfig.parse({ epochs: 2, batch_size: 5, warmup_steps: 4, micro_batch_tokens: 'auto', recompute: true }),
      3,
      run,
    ),
  'ppo, lora': run => {
    const base = tinyDecoder()
    const lora = { rank: 2, alpha: 4, targets: ['all-linear'] }
    return ppo(
      tinyParts(adaptedDecoder(base, lora, 5), { reference: base, value: adaptedScalar(base, lora, 6) }),
      tinyPpo({ steps: 12, learning_rate: 3e-3, kl_coef: 0.2, micro_batch_tokens: 'auto' }),
      3,
      run,
    )
  },
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
  const last = lastCheckpoint(folder)
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
