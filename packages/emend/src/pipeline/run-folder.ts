/** A run is a folder: its config, its logs, its checkpoints, its model and its report. */

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { EmendError } from '../errors.js'
import { makeFolder, writeAtomically } from './atomic-file.js'
import { JsonlLog, MetricsLog, type MetricsRow, readJsonl } from './jsonl-log.js'

export { JsonlLog, MetricsLog, type MetricsRow, readJsonl } from './jsonl-log.js'

/** Rows of a `metrics.jsonl`; none when the file is not there yet. */
export function readMetrics(path: string): MetricsRow[] {
  return existsSync(path) ? [...readJsonl<MetricsRow>(path)] : []
}

/** True for what a clock decides: equal runs differ in it. */
export const isTiming = (metric: string) => metric.startsWith('time/') || metric.startsWith('throughput/')

/** SHA-256 (hex) of a `metrics.jsonl` without `time/*` and `throughput/*`: equal for equal runs. */
export function metricsDigest(path: string): string {
  const hash = createHash('sha256')
  for (const row of readMetrics(path)) {
    const kept = Object.entries(row).filter(([name]) => !isTiming(name))
    hash.update(`${JSON.stringify(Object.fromEntries(kept))}\n`)
  }
  return hash.digest('hex')
}

/** The places in a run's folder, and its logs. Making one makes the folder. */
export class RunFolder {
  readonly path: string
  readonly metrics: MetricsLog
  readonly rollouts: JsonlLog

  constructor(path: string) {
    this.path = path
    try {
      makeFolder(path)
    } catch (cause) {
      throw new EmendError(`${path}: cannot be made a run's folder (${(cause as NodeJS.ErrnoException).code})`, {
        cause,
      })
    }
    this.metrics = new MetricsLog(join(path, 'metrics.jsonl'))
    this.rollouts = new JsonlLog(join(path, 'rollouts.jsonl'))
  }

  /** The resolved config, as `describeConfig` writes it. */
  get config(): string {
    return join(this.path, 'config.yaml')
  }

  get checkpoints(): string {
    return join(this.path, 'checkpoints')
  }

  /** A Hugging Face folder, once the run is done. */
  get model(): string {
    return join(this.path, 'model')
  }

  get report(): string {
    return join(this.path, 'report.html')
  }

  /** Folder of a part of the run, such as one stage; made with its own logs. */
  part(name: string): RunFolder {
    return new RunFolder(join(this.path, name))
  }

  /** Writes a text file of the run, all of it or nothing. */
  write(name: string, text: string): string {
    const path = join(this.path, name)
    writeAtomically(path, text)
    return path
  }
}
