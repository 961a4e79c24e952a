/** A log of JSON lines that can be cut back to where a checkpoint was taken. */

import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { DataError, EmendError } from '../errors.js'
import { readLines } from './read-lines.js'

/**
 * A file of JSON lines that only grows, or is cut back to a checkpoint.
 *
 * The file is opened at the first line. A line goes to the operating system at once (a killed process loses none of it);
 * `position` is what makes it survive a power cut.
 */
class LineLog {
  readonly path: string
  #file: number | undefined

  constructor(path: string) {
    this.path = path
  }

  /** The log's length in bytes, once all of it is on the disk. Goes into the checkpoint. */
  position(): number {
    if (this.#file === undefined && !existsSync(this.path)) return 0
    const file = this.#open()
    fsyncSync(file)
    return fstatSync(file).size
  }

  /**
   * Cuts the log back to a position that a checkpoint recorded.
   * @throws DataError when the log is shorter than that, or no line ends there: then it is not the log of that checkpoint.
   */
  truncate(position: number): void {
    if (position === 0 && this.#file === undefined && !existsSync(this.path)) return
    const file = this.#open()
    const { size } = fstatSync(file)
    if (size < position) {
      throw new DataError(`holds ${size} bytes, the checkpoint was taken at ${position}; take an older checkpoint`, {
        file: this.path,
      })
    }
    const last = Buffer.alloc(1)
    if (position > 0) readSync(file, last, 0, 1, position - 1)
    if (position > 0 && last[0] !== 0x0a) {
      throw new DataError(`no line ends at byte ${position}, where the checkpoint was taken`, { file: this.path })
    }
    ftruncateSync(file, position)
    fsyncSync(file)
  }

  /** Closes the file; a later append opens it again. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  protected write(line: string): void {
    const bytes = Buffer.from(`${line}\n`)
    const file = this.#open()
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
  }

  #open(): number {
    if (this.#file === undefined) {
      mkdirSync(dirname(this.path), { recursive: true })
      this.#file = openSync(this.path, 'a+')
    }
    return this.#file
  }
}

/** One JSON object a line, keys in the order given, so that the same run writes the same bytes. */
export class JsonlLog extends LineLog {
  /**
   * Adds one line. Typed arrays become plain ones; keys that are undefined are left out.
   * @throws EmendError naming the key of a number that is not finite: JSON cannot hold it, and nothing should train on it.
   */
  append(record: object): void {
    this.write(JSON.stringify(plain(record, '', this.path)))
  }
}

/** One line of `metrics.jsonl`. */
export interface MetricsRow {
  step: number
  [metric: string]: number
}

/** `metrics.jsonl`: one line a step, `step` first, then the metrics by name. Names: docs/metrics.md. */
export class MetricsLog extends LineLog {
  /** @throws EmendError naming the metric and the step of a number that is not finite. */
  append(step: number, metrics: Readonly<Record<string, number>>): void {
    const row: MetricsRow = { step }
    for (const name of Object.keys(metrics).sort()) {
      const value = metrics[name]!
      if (!Number.isFinite(value)) throw new EmendError(`metric ${name} is ${value} at step ${step}`)
      row[name] = value
    }
    this.write(JSON.stringify(row))
  }
}

/**
 * Reads a log line by line.
 * @throws DataError with file and line for what is not a JSON object. A last line without its end is ignored: the writer
 * was killed in the middle of it.
 */
export function* readJsonl<T extends object = Record<string, unknown>>(path: string): Generator<T> {
  let number = 0
  for (const { text, complete } of readLines(path)) {
    number++
    if (text.trim() === '') continue
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (cause) {
      if (!complete) return
      throw new DataError(`not JSON: ${(cause as Error).message}`, { file: path, line: number }, { cause })
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new DataError('expected a JSON object', { file: path, line: number })
    }
    yield value as T
  }
}

function plain(value: unknown, key: string, path: string): unknown {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new EmendError(`${path}: ${key} is ${value}, expected a finite number`)
    return value
  }
  if (typeof value !== 'object' || value === null) return value
  const at = (name: string | number) => (key === '' ? String(name) : `${key}.${name}`)
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))) {
    return Array.from(value as ArrayLike<unknown>, (item, i) =>
      plain(typeof item === 'bigint' ? Number(item) : item, at(i), path),
    )
  }
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item, at(name), path)]))
}
