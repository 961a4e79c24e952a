/** The computing thread as the answering thread sees it: tasks out, answers in. */
import type { MessagePort, Worker } from 'node:worker_threads'
import { Answer } from './answer.js'
import { ApiError, unavailable } from './api-error.js'
import type { FromCompute, GenerateTask, Ready, ScoreTask, ToCompute } from './protocol.js'

/** What a score task gives. */
export interface Scored {
  /** [T] reward of each token of the response */
  readonly rewards: Float32Array
  readonly total: number
}

interface Pending {
  event?(event: Extract<FromCompute, { type: 'samples' }>['events'][number]): void
  scored?(result: Scored): void
  fail(error: ApiError): void
}

export class ComputeClient {
  readonly #port: Pick<MessagePort | Worker, 'postMessage'>
  readonly #pending = new Map<number, Pending>()
  #next = 0
  #gone: ApiError | undefined

  /** @param ready what the models are; the thread has said so */
  constructor(
    port: Pick<MessagePort | Worker, 'postMessage'>,
    readonly ready: Ready,
  ) {
    this.#port = port
  }

  /** Whether the thread can still compute. */
  get alive(): boolean {
    return this.#gone === undefined
  }

  /**
   * Begins the samples of one request.
   *
   * @param tasks one a prompt, as many samples each; choice i · n + s is sample s of prompt i
   * @param limit see `Answer`
   * @param onLag called when the client was given up since it reads too slowly
   */
  generate(tasks: readonly Omit<GenerateTask, 'task'>[], limit: number, onLag: () => void): Answer {
    if (this.#gone) throw this.#gone
    const ids: number[] = []
    const forget = () => {
      for (const id of ids) this.#pending.delete(id)
    }
    const stop = () => {
      for (const id of ids) if (this.#pending.delete(id)) this.#send({ type: 'cancel', task: id })
    }
    const choices = tasks.reduce((sum, { n }) => sum + n, 0)
    const answer = new Answer(choices, limit, lagging => {
      stop()
      if (lagging) onLag()
    })
    let first = 0
    for (const task of tasks) {
      const id = this.#next++
      const offset = first
      first += task.n
      ids.push(id)
      this.#pending.set(id, {
        event: ({ task: _, sample, ...event }) => {
          answer.push({ ...event, index: offset + sample })
          if (answer.done) forget()
        },
        fail: error => {
          this.#pending.delete(id)
          stop()
          answer.fail(error)
        },
      })
      this.#send({ type: 'generate', task: id, ...task })
    }
    return answer
  }

  /**
   * Rewards of one response.
   *
   * @param signal once aborted it is read no more, if it is not being read already, and an error is thrown
   */
  async score(task: Omit<ScoreTask, 'task'>, signal: AbortSignal): Promise<Scored> {
    if (this.#gone) throw this.#gone
    if (signal.aborted) throw givenUp()
    const id = this.#next++
    return new Promise((scored, fail) => {
      this.#pending.set(id, { scored, fail })
      this.#send({ type: 'score', task: id, ...task })
      const stop = () => {
        if (!this.#pending.delete(id)) return
        this.#send({ type: 'cancel', task: id })
        fail(givenUp())
      }
      signal.addEventListener('abort', stop, { once: true })
    })
  }

  /** Takes a message of the thread. */
  receive(message: FromCompute): void {
    if (message.type === 'samples') {
      for (const event of message.events) this.#pending.get(event.task)?.event?.(event)
    } else if (message.type === 'scored') {
      const pending = this.#pending.get(message.task)
      this.#pending.delete(message.task)
      pending?.scored?.(message)
    } else if (message.type === 'failed') {
      const pending = this.#pending.get(message.task)
      this.#pending.delete(message.task)
      pending?.fail(new ApiError(500, message.message, { code: 'compute_failed' }))
    }
  }

  /** The thread has ended: whatever is under way fails, and so does whatever comes. */
  end(why: string): void {
    this.#gone ??= unavailable(why)
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const one of pending) one.fail(this.#gone)
  }

  /** Asks the thread to end after the step it is in. */
  close(): void {
    this.#send({ type: 'close' })
  }

  #send(message: ToCompute): void {
    if (!this.#gone) this.#port.postMessage(message)
  }
}

/** For nobody's eyes: whoever asked is gone. */
const givenUp = () => new Error('the client is gone')
