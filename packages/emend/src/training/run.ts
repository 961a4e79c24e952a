/** A training run: its folder, its logs, its place in time. Algorithms iterate over `run.steps`, and so can stop and resume anywhere. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Interrupted } from '../errors.js'
import { writeAtomically } from '../pipeline/atomic-file.js'
import { JsonlLog, MetricsLog } from '../pipeline/run-folder.js'
import { writeEvents } from '../pipeline/tensorboard.js'
import { Checkpoints } from './checkpoints.js'
import type { State, Stateful } from './stateful.js'

export interface RunOptions {
  /** Where metrics, rollouts and checkpoints go; without it nothing is written and nothing can be resumed. */
  readonly folder?: string
  /** Steps between checkpoints; default a tenth of the run, at least 20. */
  readonly checkpointEvery?: number
  /** Asks the run to checkpoint and leave. */
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number, total: number, note?: string) => void
  /** A line for people. */
  readonly onLine?: (line: string) => void
}

/** The line of a top-level key in YAML as we write it; read without a YAML library, which a machine that only trains may lack. */
const keyLine = (key: string) => new RegExp(`^${key}: *(.*)$`, 'm')

export class Run {
  readonly #options: RunOptions
  readonly #metrics?: MetricsLog
  readonly #rollouts?: JsonlLog
  readonly #checkpoints?: Checkpoints
  #note?: string

  constructor(options: RunOptions = {}) {
    this.#options = options
    if (!options.folder) return
    mkdirSync(options.folder, { recursive: true })
    this.#metrics = new MetricsLog(join(options.folder, 'metrics.jsonl'))
    this.#rollouts = new JsonlLog(join(options.folder, 'rollouts.jsonl'))
    this.#checkpoints = new Checkpoints(join(options.folder, 'checkpoints'))
  }

  /** Whether it goes on from steps that were made before. */
  get begun(): boolean {
    return this.#checkpoints?.any ?? false
  }

  /** A line for people: memory before and after. */
  say(line: string): void {
    this.#options.onLine?.(line)
  }

  /** Metrics of one step; names as in docs/metrics.md. */
  log(step: number, metrics: Readonly<Record<string, number>>, note?: string): void {
    this.#metrics?.append(step, metrics)
    this.#note = note
  }

  /** One line of rollouts.jsonl. */
  logRollout(sample: Readonly<Record<string, unknown>>): void {
    this.#rollouts?.append(sample)
  }

  /** True when rollouts are kept, so that nobody prepares lines for nothing. */
  get keepsRollouts(): boolean {
    return this.#rollouts !== undefined
  }

  /** A number that this run found for itself, before an interruption too; undefined where it has not yet. */
  found(key: string): number | undefined {
    const value = Number(keyLine(key).exec(this.#settings())?.[1])
    return value > 0 ? value : undefined
  }

  /** Writes what the run found for itself into its config.yaml, in place of what was to be found. */
  keepFound(key: string, value: number): void {
    const path = this.#config
    if (!path) return
    const settings = this.#settings()
    const line = `${key}: ${value}`
    const known = keyLine(key).test(settings)
    writeAtomically(path, known ? settings.replace(keyLine(key), line) : `${settings}${line}\n`)
  }

  #settings(): string {
    const path = this.#config
    return path && existsSync(path) ? readFileSync(path, 'utf8') : ''
  }

  get #config(): string | undefined {
    return this.#options.folder && join(this.#options.folder, 'config.yaml')
  }

  /**
   * The steps still to do, from where the newest valid checkpoint stands. Whoever iterates does step `i` between two yields;
   * everything that `owners` hold, and the position of the logs, is saved after it when a checkpoint is due.
   *
   * @throws Interrupted after a checkpoint, when the signal asks to stop
   */
  async *steps(total: number, owners: Readonly<Record<string, Stateful>>): AsyncGenerator<number, void> {
    const { signal, onProgress, checkpointEvery = Math.max(20, Math.ceil(total / 10)) } = this.#options
    const all = { ...owners, ...(this.#metrics && { logs: this.#logs() }) }
    const done = this.#checkpoints?.restore(all) ?? 0
    if (done === 0) {
      this.#metrics?.truncate(0)
      this.#rollouts?.truncate(0)
    }
    onProgress?.(done, total)
    for (let step = done; step < total; step++) {
      yield step
      const finished = step + 1
      onProgress?.(finished, total, this.#note)
      // The event loop turns once a step: signals arrive, and progress is sent.
      await nextTurn()
      const stop = signal?.aborted === true && finished < total
      // Before the checkpoint: a run that has its last one is done, and never comes here again.
      if ((stop || finished === total) && this.#options.folder) writeEvents(this.#options.folder)
      if (stop || finished === total || finished % checkpointEvery === 0) this.#checkpoints?.save(finished, all)
      if (stop) throw new Interrupted(`stopped after step ${finished} of ${total}; start again to go on from there`)
    }
  }

  #logs(): Stateful {
    return {
      state: (): State => ({
        values: { metrics: this.#metrics?.position() ?? 0, rollouts: this.#rollouts?.position() ?? 0 },
      }),
      load: ({ values }: State) => {
        const { metrics, rollouts } = values as { metrics: number; rollouts: number }
        this.#metrics?.truncate(metrics)
        this.#rollouts?.truncate(rollouts)
      },
    }
  }
}
