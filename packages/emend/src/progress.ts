/** Progress on stderr: live lines with rate and time left on a terminal, a plain line now and then elsewhere. */

/** One piece of long work. */
export interface Progress {
  /** Says how much is done by now (a running total, not a step), with a short note such as `loss 1.23`. */
  update(done: number, note?: string): void
  /** Ends the line; further updates are ignored. */
  finish(note?: string): void
}

/** What a task says about itself; also the message a child process sends its parent. */
export interface ProgressReport {
  label: string
  done: number
  /** 0 when it is not known how much there is. */
  total: number
  unit: string
  note?: string
  finished?: boolean
}

/** Where the board writes, and how. */
export interface ProgressOptions {
  stream?: { write(text: string): unknown; isTTY?: boolean; columns?: number }
  quiet?: boolean
  /** Milliseconds, for rate and time left. */
  now?: () => number
}

interface Task {
  report: ProgressReport
  start: number
  /** How much was done when the task was first seen: a resumed task does not count that as speed. */
  startDone: number
  drawn: number
}

const REDRAW_MS = 100
const PLAIN_LINE_MS = 10_000

/** Shows any number of tasks at once. Draws inside `show`, never by a timer, so that synchronous loops are seen too. */
export class ProgressBoard {
  readonly #stream: NonNullable<ProgressOptions['stream']>
  readonly #now: () => number
  readonly #quiet: boolean
  readonly #tasks = new Map<string, Task>()
  #lines = 0
  #drawn = Number.NEGATIVE_INFINITY

  constructor(options: ProgressOptions = {}) {
    this.#stream = options.stream ?? process.stderr
    this.#now = options.now ?? Date.now
    this.#quiet = options.quiet ?? false
  }

  /** Takes in a report of the task `id`; the first one starts its clock. */
  show(id: string, report: ProgressReport): void {
    if (this.#quiet) return
    const now = this.#now()
    let task = this.#tasks.get(id)
    if (!task) {
      task = { report, start: now, startDone: report.done, drawn: now }
      this.#tasks.set(id, task)
    }
    task.report = report
    if (report.finished) {
      this.#tasks.delete(id)
      this.#print(finishedLine(report, now - task.start))
    } else if (this.#stream.isTTY) {
      if (now - this.#drawn >= REDRAW_MS) this.#redraw()
    } else if (now - task.drawn >= PLAIN_LINE_MS) {
      task.drawn = now
      this.#stream.write(`${liveLine(task, now)}\n`)
    }
  }

  /** Prints a line that stays, above the live ones. */
  say(message: string): void {
    if (!this.#quiet) this.#print(message)
  }

  /** Wipes the live lines, for whoever prints next: an error, or the end of the program. */
  clear(): void {
    if (this.#lines > 0) this.#stream.write(`\x1b[${this.#lines}F\x1b[0J`)
    this.#lines = 0
  }

  #print(line: string): void {
    this.clear()
    this.#stream.write(`${line}\n`)
    if (this.#stream.isTTY) this.#redraw()
  }

  #redraw(): void {
    this.clear()
    this.#drawn = this.#now()
    const width = (this.#stream.columns ?? 80) - 1
    const lines = [...this.#tasks.values()].map(task => liveLine(task, this.#drawn, 20).slice(0, width))
    if (lines.length > 0) this.#stream.write(`${lines.join('\n')}\n`)
    this.#lines = lines.length
  }
}

let board = new ProgressBoard()
let ids = 0

/** Sets how this process shows progress. Call once, before the work. */
export function configureProgress(options: ProgressOptions): ProgressBoard {
  board.clear()
  board = new ProgressBoard(options)
  return board
}

/** The board of this process. */
export const progressBoard = (): ProgressBoard => board

/**
 * Starts a task of `total` units (0: unknown), e.g. `progress('SFT', 300, 'step')`.
 * @param show where reports go; the process's board unless told. A stage in a child process sends them to its parent.
 */
export function progress(
  label: string,
  total: number,
  unit: string,
  show: (id: string, report: ProgressReport) => void = (id, report) => board.show(id, report),
): Progress {
  const id = `${label}#${ids++}`
  let done = 0
  let open = true
  return {
    update(now, note) {
      if (!open) return
      done = now
      show(id, { label, done, total, unit, ...(note === undefined ? {} : { note }) })
    },
    finish(note) {
      if (!open) return
      open = false
      show(id, { label, done, total, unit, ...(note === undefined ? {} : { note }), finished: true })
    },
  }
}

/**
 * What tells of a task that begins with its first report, and ends with the one that says all of it is done.
 * @param start makes it, such as `total => progress('SFT', total, 'step')`
 */
export function reporting(start: (total: number) => Progress): (done: number, total: number, note?: string) => void {
  let task: Progress | undefined
  return (done, total, note) => {
    task ??= start(total)
    task.update(done, note)
    if (done === total) task.finish(note)
  }
}

/** Prints a line for people on stderr, above the live lines; `--quiet` silences it. */
export function say(message: string): void {
  board.say(message)
}

/** Seconds for people: `8.4s`, `2m05s`, `3h10m`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 59.95) return `${seconds.toFixed(1)}s`
  const whole = Math.round(seconds)
  const two = (n: number) => String(n).padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`
  const minutes = Math.round(whole / 60)
  return `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`
}

function liveLine({ report, start, startDone }: Task, now: number, barWidth = 0): string {
  const { label, done, total, unit, note } = report
  const seconds = (now - start) / 1000
  const rate = seconds > 0 ? (done - startDone) / seconds : 0
  const parts = [label]
  if (total > 0) {
    const share = Math.min(1, done / total)
    if (barWidth > 0) {
      const full = Math.round(share * barWidth)
      parts.push('█'.repeat(full) + '░'.repeat(barWidth - full))
    }
    parts.push(`${Math.floor(share * 100)}%`, `${count(done)}/${count(total)} ${unit}`)
  } else {
    parts.push(`${count(done)} ${unit}`)
  }
  if (rate > 0) {
    parts.push(rate >= 1 ? `${significant(rate)} ${unit}/s` : `${significant(1 / rate)} s/${unit}`)
    if (total > 0) parts.push(`${formatSeconds(Math.max(0, total - done) / rate)} left`)
  }
  if (note) parts.push(note)
  return parts.join('  ')
}

function finishedLine({ label, done, unit, note }: ProgressReport, ms: number): string {
  return [label, `${count(done)} ${unit}`, `in ${formatSeconds(ms / 1000)}`, ...(note ? [note] : [])].join('  ')
}

const count = (n: number) => (Number.isInteger(n) ? String(n) : n.toFixed(1))
const significant = (n: number) => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2))
