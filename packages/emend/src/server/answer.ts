/** What has been computed of one request and its client has not taken yet: bounded, and ended from either side. */
import type { ApiError } from './api-error.js'
import type { SampleEvent } from './protocol.js'

/** An event of one of the choices of a request. */
export type ChoiceEvent = Omit<SampleEvent, 'task' | 'sample' | 'finish'> & {
  readonly index: number
  /** `content_filter`: refused by a guard. */
  readonly finish?: NonNullable<SampleEvent['finish']> | 'content_filter'
}

/** Events given at a time, so that what was held up does not become one huge text. */
const AT_ONCE = 256

/** Numbers that an event holds, about. */
const weightOf = ({ tokens = [] }: ChoiceEvent) => tokens.reduce((sum, { top }) => sum + 1 + top.length, 1)

export class Answer {
  #waiting: ChoiceEvent[] = []
  #weight = 0
  #unfinished: number
  #error: ApiError | undefined
  #wake: (() => void) | undefined
  readonly #limit: number
  readonly #stop: (lagging: boolean) => void

  /**
   * @param choices how many samples it consists of
   * @param limit how much may wait, in tokens and likely tokens beside them; beyond it the client is too slow, and the
   *   answer is given up
   * @param stop called when nobody wants the rest: once, and not after its end
   */
  constructor(choices: number, limit: number, stop: (lagging: boolean) => void) {
    this.#unfinished = choices
    this.#limit = limit
    this.#stop = stop
  }

  get done(): boolean {
    return this.#unfinished === 0 || this.#error !== undefined
  }

  /** Adds an event; from the side that computes. */
  push(event: ChoiceEvent): void {
    if (this.done) return
    this.#waiting.push(event)
    this.#weight += weightOf(event)
    if (event.finish) this.#unfinished--
    if (this.#weight > this.#limit) this.#end(true)
    else this.#wake?.()
  }

  /** Ends it with an error, which `next` throws; what waited is dropped. */
  fail(error: ApiError): void {
    if (this.done) return
    this.#error = error
    this.#waiting = []
    this.#wake?.()
  }

  /**
   * What has come since the last call, as soon as there is something; much of it in parts.
   *
   * @returns undefined at the end
   */
  async next(): Promise<readonly ChoiceEvent[] | undefined> {
    while (this.#waiting.length === 0) {
      if (this.#error) throw this.#error
      if (this.#unfinished === 0) return undefined
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    const events = this.#waiting.splice(0, AT_ONCE)
    for (const event of events) this.#weight -= weightOf(event)
    return events
  }

  /** The client is gone: what is left is not computed. */
  cancel(): void {
    if (!this.done) this.#end(false)
    this.#waiting = []
  }

  #end(lagging: boolean): void {
    this.#unfinished = 0
    this.#waiting = []
    this.#stop(lagging)
    this.#wake?.()
  }
}
