/** A pipeline of stages: each done once, skipped while its inputs stay the same, independent ones side by side. */

import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { EmendError, Interrupted, oneLine } from '../errors.js'
import { type Progress, type ProgressReport, progress } from '../progress.js'
import { makeFolder, writeAtomically } from './atomic-file.js'
import { fingerprint } from './fingerprint.js'
import { interruptSignal, STAGE_CHILD } from './interrupt.js'
import { nearest } from './nearest.js'
import { lockStage } from './stage-lock.js'

/** What a running stage is given. */
export interface StageContext {
  /** The stage's own folder. What an earlier attempt with the same inputs left there is still there: resume from it. */
  readonly folder: string
  /** Folder of a stage this one needs. */
  folderOf(name: string): string
  /** What a stage this one needs returned from its `run`. */
  resultOf(name: string): unknown
  /** Asks to checkpoint and throw `Interrupted`. */
  readonly signal: AbortSignal
  /** How many threads to compute with; undefined: as many as the engine likes. */
  readonly threads?: number
  /** A line of progress, shown by whoever runs the pipeline. */
  progress(label: string, total: number, unit: string): Progress
}

export interface Stage {
  /** Unique; also its folder inside the run's. May hold `/`. */
  readonly name: string
  /** Names of the stages that must be done before. */
  readonly needs?: readonly string[]
  /** Everything that decides the stage's result, as JSON: its part of the config, the seed. */
  readonly inputs: unknown
  /** Files and folders whose contents decide the result too. Not those that other stages make: `needs` covers these. */
  readonly files?: readonly string[]
  /** Does the work. What it returns (JSON, small) is kept with the stage and reaches the stages that need it. */
  run(context: StageContext): unknown
}

export interface StageOptions {
  /** The run's folder. */
  readonly folder: string
  /** How many stages at once; 1 unless told. */
  readonly concurrency?: number
  /** Threads of each stage. Default: its share of the cores when several run, else undefined. Never depends on chance. */
  readonly threads?: number
  /**
   * Runs every stage in a child process: a script that makes the same stages and calls `runStageInChild`.
   * Without it stages run in this process.
   */
  readonly child?: {
    readonly entry: string
    args(stage: string): readonly string[]
    readonly execArgv?: readonly string[]
  }
  /** Asks to stop; Ctrl-C unless told. */
  readonly signal?: AbortSignal
  /** Progress of a stage; `id` tells its tasks apart. */
  readonly onProgress?: (id: string, report: ProgressReport, stage: string) => void
  /** A line for people: what is skipped, what failed, what a child printed. */
  readonly onLine?: (line: string, stage: string) => void
}

/** How a stage ended. `blocked`: a stage it needs did not get done. */
export interface StageOutcome {
  readonly name: string
  readonly status: 'done' | 'skipped' | 'failed' | 'blocked'
  readonly folder: string
  /** Wall time of the attempt that finished it, also when that was an earlier one. */
  readonly seconds: number
  readonly result?: unknown
  /** One line, when failed or blocked. */
  readonly error?: string
}

interface StageRecord {
  name: string
  fingerprint: string
  seconds: number
  result?: unknown
}

type Message =
  | { type: 'progress'; id: string; report: ProgressReport }
  | { type: 'failed'; message: string; stack?: string | undefined; interrupted: boolean }

/**
 * Runs the stages that are not done, in the order that `needs` allows (as listed, where it leaves a choice).
 *
 * A stage is done when its folder holds a `stage.json` with its fingerprint, written last. A folder begun with other
 * inputs is emptied first. A failed stage stops the stages that need it, and no other.
 *
 * @returns the outcome of each stage, as listed; see `assertDone`.
 * @throws Interrupted once all running stages have saved and left.
 * @throws EmendError for a name used twice, an unknown need or a circle.
 */
export async function runStages(stages: readonly Stage[], options: StageOptions): Promise<StageOutcome[]> {
  const { folder, concurrency = 1, signal = interruptSignal() } = options
  const prints = fingerprints(stages)
  const threads =
    options.threads ?? (concurrency > 1 ? Math.max(1, Math.floor(availableParallelism() / concurrency)) : undefined)
  const outcomes = new Map<string, StageOutcome>()
  const running = new Map<string, Promise<void>>()

  const start = async (stage: Stage): Promise<void> => {
    const own = stageFolder(folder, stage.name)
    const print = prints.get(stage.name)!
    const earlier = readRecord(own)
    if (earlier?.fingerprint === print) {
      options.onLine?.(`${stage.name}: already done, skipped`, stage.name)
      outcomes.set(stage.name, outcome(stage, own, 'skipped', earlier))
      return
    }
    try {
      const record = options.child
        ? await runChild(stage, own, print, threads, signal, options)
        : await runHere(stage, folder, print, {
            signal,
            threads,
            show: (id, report) => options.onProgress?.(id, report, stage.name),
          })
      outcomes.set(stage.name, outcome(stage, own, 'done', record))
    } catch (error) {
      if (error instanceof Interrupted || (error instanceof EmendError && signal.aborted)) throw error
      options.onLine?.(`${stage.name}: failed: ${oneLine(error)}`, stage.name)
      outcomes.set(stage.name, { name: stage.name, status: 'failed', folder: own, seconds: 0, error: oneLine(error) })
    }
  }

  let interrupted: unknown
  while (outcomes.size < stages.length && !signal.aborted && !interrupted) {
    for (const stage of stages) {
      if (outcomes.has(stage.name) || running.has(stage.name)) continue
      const needs = (stage.needs ?? []).map(name => outcomes.get(name))
      const missing = needs.find(need => need?.status === 'failed' || need?.status === 'blocked')
      if (missing) {
        const error = `needs ${missing.name}, which ${missing.status === 'failed' ? 'failed' : 'could not run'}`
        outcomes.set(stage.name, {
          name: stage.name,
          status: 'blocked',
          folder: stageFolder(folder, stage.name),
          seconds: 0,
          error,
        })
      } else if (running.size < concurrency && needs.every(need => need)) {
        running.set(
          stage.name,
          start(stage)
            .catch(error => {
              interrupted = error
            })
            .finally(() => running.delete(stage.name)),
        )
      }
    }
    if (running.size > 0) await Promise.race(running.values())
  }
  await Promise.all(running.values())
  if (interrupted || (signal.aborted && outcomes.size < stages.length)) {
    const left = stages.filter(({ name }) => !outcomes.has(name)).map(({ name }) => name)
    throw new Interrupted(`stopped; still to do: ${left.join(', ')}; run the same command again to go on`)
  }
  return stages.map(({ name }) => outcomes.get(name)!)
}

/** @throws EmendError naming the first stage that failed, unless all are done. */
export function assertDone(outcomes: readonly StageOutcome[]): void {
  const failed = outcomes.find(({ status }) => status === 'failed')
  if (failed) throw new EmendError(`stage ${failed.name} failed: ${failed.error}`)
}

/**
 * The child's side of `runStages`: does the one stage, reports to the parent, and leaves when the parent does.
 * Sets the exit code; throws nothing, since the parent prints the error.
 */
export async function runStageInChild(stages: readonly Stage[], name: string, folder: string): Promise<void> {
  const signal = interruptSignal()
  const send = (message: Message) => {
    if (process.connected) process.send!(message)
  }
  try {
    const prints = fingerprints(stages)
    const stage = stages.find(one => one.name === name)
    if (!stage) throw new EmendError(`there is no stage '${name}'; known: ${[...prints.keys()].join(', ')}`)
    const threads = Number(process.env[STAGE_CHILD]) || undefined
    const show = (id: string, report: ProgressReport) => send({ type: 'progress', id, report })
    await runHere(stage, folder, prints.get(name)!, { signal, threads, show })
  } catch (error) {
    const interrupted = error instanceof Interrupted || signal.aborted
    send({ type: 'failed', message: oneLine(error), stack: (error as Error).stack, interrupted })
    process.exitCode = interrupted ? 130 : 1
  }
  // The listener for the parent's leaving keeps the channel, and so the process, alive.
  process.channel?.unref()
}

interface Surroundings {
  signal: AbortSignal
  threads: number | undefined
  show(id: string, report: ProgressReport): void
}

async function runHere(stage: Stage, folder: string, print: string, around: Surroundings): Promise<StageRecord> {
  const own = stageFolder(folder, stage.name)
  makeFolder(own)
  const unlock = await lockStage(own)
  try {
    prepare(own, print)
    const start = performance.now()
    const needed = (name: string) => {
      if (!stage.needs?.includes(name))
        throw new EmendError(`stage ${stage.name} asks for ${name}, which it does not need`)
      return stageFolder(folder, name)
    }
    const tasks: Progress[] = []
    const result = await stage.run({
      folder: own,
      folderOf: needed,
      resultOf: name => readRecord(needed(name))?.result,
      signal: around.signal,
      ...(around.threads === undefined ? {} : { threads: around.threads }),
      progress: (label, total, unit) => {
        const task = progress(label, total, unit, (id, report) => around.show(`${stage.name}/${id}`, report))
        tasks.push(task)
        return task
      },
    })
    for (const task of tasks) task.finish()
    const seconds = Math.round(performance.now() - start) / 1000
    const record: StageRecord = {
      name: stage.name,
      fingerprint: print,
      seconds,
      ...(result === undefined ? {} : { result }),
    }
    writeAtomically(join(own, 'stage.json'), `${JSON.stringify(record, null, 2)}\n`)
    return record
  } finally {
    unlock()
  }
}

/** Keeps what an attempt with the same inputs left; empties the folder of an attempt with others. */
function prepare(folder: string, print: string): void {
  const begun = join(folder, 'stage.begun')
  const names = readdirSync(folder).filter(entry => entry !== 'stage.lock')
  const isOurs = names.includes('stage.begun') || names.length === 0
  if (!isOurs) {
    throw new EmendError(`${folder} holds files that no stage made; move them away or choose another --out`)
  }
  if (names.length > 0 && readFileSync(begun, 'utf8').trim() !== print) {
    // The mark goes last: a folder half emptied is still known as ours.
    for (const entry of names) {
      if (entry !== 'stage.begun') rmSync(join(folder, entry), { recursive: true, force: true })
    }
  }
  writeAtomically(begun, `${print}\n`)
  if (existsSync(join(folder, 'stage.json'))) rmSync(join(folder, 'stage.json'))
}

function readRecord(folder: string): StageRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'stage.json'), 'utf8')) as StageRecord
  } catch {
    return undefined
  }
}

function outcome(stage: Stage, folder: string, status: 'done' | 'skipped', record: StageRecord): StageOutcome {
  const { seconds, result } = record
  return { name: stage.name, status, folder, seconds, ...(result === undefined ? {} : { result }) }
}

const stageFolder = (folder: string, name: string) => resolve(folder, name)

/** Fingerprint of each stage: its own inputs and, through its needs, all that came before. */
function fingerprints(stages: readonly Stage[]): Map<string, string> {
  const byName = new Map<string, Stage>()
  for (const stage of stages) {
    if (byName.has(stage.name)) throw new EmendError(`two stages are called '${stage.name}'`)
    if (!/^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/.test(stage.name)) {
      throw new EmendError(`stage name '${stage.name}' cannot be a folder; use letters, digits, - _ . and /`)
    }
    byName.set(stage.name, stage)
  }
  for (const outer of byName.keys()) {
    const inner = [...byName.keys()].find(name => name.startsWith(`${outer}/`))
    if (inner) throw new EmendError(`stage ${inner} would lie inside the folder of stage ${outer}; rename one`)
  }
  const prints = new Map<string, string>()
  const visit = (stage: Stage, path: readonly string[]): string => {
    const known = prints.get(stage.name)
    if (known !== undefined) return known
    if (path.includes(stage.name))
      throw new EmendError(`stages need each other in a circle: ${[...path, stage.name].join(' → ')}`)
    const needs = (stage.needs ?? []).map(name => {
      const need = byName.get(name)
      if (need) return visit(need, [...path, stage.name])
      const meant = nearest(name, byName.keys())
      throw new EmendError(
        `stage ${stage.name} needs '${name}', which there is not${meant ? `; did you mean '${meant}'?` : ''}`,
      )
    })
    const print = fingerprint({ name: stage.name, inputs: stage.inputs, needs }, stage.files)
    prints.set(stage.name, print)
    return print
  }
  for (const stage of stages) visit(stage, [])
  return prints
}

/** Runs a stage in a child process and waits for its end. */
async function runChild(
  stage: Stage,
  own: string,
  print: string,
  threads: number | undefined,
  signal: AbortSignal,
  options: StageOptions,
): Promise<StageRecord> {
  const { entry, args, execArgv } = options.child!
  const child = fork(entry, [...args(stage.name)], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      ...process.env,
      [STAGE_CHILD]: String(threads ?? 'default'),
      ...(threads === undefined ? {} : { OMP_NUM_THREADS: String(threads), MKL_NUM_THREADS: String(threads) }),
    },
    ...(execArgv ? { execArgv: [...execArgv] } : {}),
  })
  const interrupt = () => child.kill('SIGINT')
  signal.addEventListener('abort', interrupt)
  let failure: Extract<Message, { type: 'failed' }> | undefined
  child.on('message', (message: Message) => {
    if (message.type === 'progress') options.onProgress?.(message.id, message.report, stage.name)
    else failure = message
  })
  const lastLines = passLines(child, line => options.onLine?.(`${stage.name}: ${line}`, stage.name))
  try {
    const { code, killedBy } = await ended(child)
    const record = readRecord(own)
    if (code === 0 && record?.fingerprint === print) return record
    if (failure?.interrupted) throw new Interrupted(failure.message)
    if (failure) throw Object.assign(new EmendError(failure.message), failure.stack ? { stack: failure.stack } : {})
    const how = killedBy ? `its process was ended by ${killedBy}` : `its process ended with code ${code}`
    throw new EmendError([how, ...lastLines.slice(-1)].join(': '))
  } finally {
    signal.removeEventListener('abort', interrupt)
  }
}

function ended(child: ChildProcess): Promise<{ code: number | null; killedBy: NodeJS.Signals | null }> {
  return new Promise((settle, fail) => {
    child.once('error', cause => fail(new EmendError(`its process could not be started: ${cause.message}`, { cause })))
    // 'close' comes after the last output and the last message, 'exit' may come before them.
    child.once('close', (code, killedBy) => settle({ code, killedBy }))
  })
}

/** Passes on what a child prints, line by line, and keeps the last few for the error of one that dies. */
function passLines(child: ChildProcess, pass: (line: string) => void): string[] {
  const last: string[] = []
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on('line', line => {
      pass(line)
      if (stream === child.stderr) last.push(line)
      if (last.length > 20) last.shift()
    })
  }
  return last
}
