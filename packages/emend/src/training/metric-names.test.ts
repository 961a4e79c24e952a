import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readMetrics } from '../pipeline/run-folder.js'
import { algorithmNames, runTiny } from './tiny-runs.fixture.js'

/** The names that docs/metrics.md explains, and those that the method promises for each algorithm. */
const documented = new Set(
  readFileSync(new URL('../../../../docs/metrics.md', import.meta.url), 'utf8')
    .split('\n')
    .filter(line => line.startsWith('| `'))
    .flatMap(line => [...(line.split('|')[1] as string).matchAll(/`([^`]+)`/g)].map(match => match[1] as string)),
)
const clocks = ['time/generate', 'time/learn', 'time/score', 'time/step', 'throughput/tokens_per_second']
const step = 'loss grad_norm learning_rate'
const promised: Readonly<Record<string, string>> = {
  sft: `${step} epoch`,
  reward: `${step} accuracy margin min_reward mean_reward max_reward`,
  dpo: `${step} accuracy margin`,
  ppo: `objective/kl objective/kl_k3 objective/kl_coef objective/entropy objective/scores objective/token_reward
    objective/non_score_reward objective/rlhf_reward objective/fraction_ended policy/approxkl_avg policy/clipfrac_avg
    policy/entropy_avg loss/policy_avg loss/value_avg val/clipfrac_avg val/ratio val/ratio_var val/num_eos_tokens
    val/explained_var response_length/mean response_length/clip_ratio response/repeats lr episode`,
}

describe.each(algorithmNames)('%s', name => {
  it('logs what the method promises, and nothing that docs/metrics.md does not explain', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'emend-names-'))
    await runTiny(name, { folder })
    const last = Object.keys(readMetrics(join(folder, 'metrics.jsonl')).at(-1) as object)
    rmSync(folder, { recursive: true })
    expect(last).toEqual(expect.arrayContaining((promised[name.split(',')[0] as string] as string).split(/\s+/)))
    // `test/norm` stands for what an evaluation returns under names of its own.
    expect(
      last.filter(metric => !documented.has(metric) && ![...clocks, 'step', 'test/norm'].includes(metric)),
    ).toEqual([])
  })
})
