/** Curves and rollouts for a report, from the folders of runs. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readJsonl, readMetrics } from '../../pipeline/run-folder.js'
import { metricCurves } from './curves.js'
import type { Curve, ReportRollout } from './report-data.js'

/** Curves of the metrics that the runs in these folders logged, a line for each run. */
export const curvesOf = (runs: readonly { name: string; folder: string }[]): Curve[] =>
  metricCurves(runs.map(({ name, folder }) => ({ name, rows: readMetrics(join(folder, 'metrics.jsonl')) })))

interface RolloutLine {
  readonly step: number
  readonly prompt: string
  readonly response: string
  readonly response_tokens: readonly string[]
  readonly token_rewards: readonly number[]
  readonly reward: number
  readonly kl: number
}

/** The last `n` logged rollouts of each run and its first few, with the reward at every token. */
export function rolloutsOf(runs: readonly { name: string; folder: string }[], n: number): ReportRollout[] {
  return runs.flatMap(({ name, folder }) => {
    const path = join(folder, 'rollouts.jsonl')
    if (!existsSync(path)) return []
    const lines = [...(readJsonl(path) as Iterable<unknown>)] as RolloutLine[]
    const few = Math.ceil(n / 4)
    const kept = lines.length <= n ? lines : [...lines.slice(0, few), ...lines.slice(few - n)]
    return kept.map(line => ({
      arm: name,
      step: line.step,
      prompt: line.prompt,
      response: line.response,
      reward: line.reward,
      kl: line.kl,
      length: line.response_tokens.length,
      tokens: line.response_tokens.map((text, i) => ({ text, reward: line.token_rewards[i] as number })),
    }))
  })
}
