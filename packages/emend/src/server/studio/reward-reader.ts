/** A reward model in a thread of its own, so that reading a text never keeps people's keystrokes waiting. */
import { basename, dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { EmendError } from '../../errors.js'
import { fullColour } from '../../evaluation/reports/heat.js'
import { encodePrompts, type Tokenizer } from '../../text/index.js'
import { ApiError, unavailable } from '../api-error.js'
import type { FromReader, ReaderSetup, ToReader } from './reward-worker.js'

/** What `emend score --json` prints, and at which reward colour is full. */
export interface Heat {
  readonly tokens: readonly { id: number; start: number; end: number; text: string; reward: number }[]
  readonly total: number
  readonly full: number
}

type Ready = Extract<FromReader, { type: 'ready' }>

interface Waiting {
  settle(read: { rewards: Float32Array; total: number }): void
  fail(error: Error): void
}

export class RewardReader implements AsyncDisposable {
  readonly name: string
  readonly kind: string
  readonly #tokenizer: Tokenizer
  readonly #worker: Worker
  readonly #ready: Ready
  readonly #waiting = new Map<number, Waiting>()
  readonly #exited: Promise<void>
  #next = 0
  #gone = false

  private constructor(folder: string, tokenizer: Tokenizer, worker: Worker, ready: Ready) {
    const last = basename(folder)
    this.name = last === 'model' ? basename(dirname(folder)) : last
    this.kind = ready.kind
    this.#tokenizer = tokenizer
    this.#worker = worker
    this.#ready = ready
    worker.on('message', (message: FromReader) => this.#receive(message))
    worker.on('error', () => {}) // 'exit' follows
    this.#exited = new Promise(resolve => {
      worker.once('exit', () => {
        this.#gone = true
        for (const { fail } of this.#waiting.values()) fail(unavailable('the reward model is gone'))
        this.#waiting.clear()
        resolve()
      })
    })
  }

  /** @throws EmendError where the folder holds no reward model, or the tokenizer is another's */
  static async open(folder: string, tokenizer: Tokenizer, o: Omit<ReaderSetup, 'folder'> = {}): Promise<RewardReader> {
    const setup: ReaderSetup = { folder, ...o }
    const worker = new Worker(new URL('./reward-worker.js', import.meta.url), { workerData: setup })
    const ready = await new Promise<Ready>((resolve, reject) => {
      worker.once('error', reject)
      worker.once('message', (message: FromReader) => {
        if (message.type === 'ready') resolve(message)
        else reject(new EmendError(message.type === 'failed' ? message.message : `${folder}: cannot be loaded`))
      })
    })
    const reader = new RewardReader(folder, tokenizer, worker, ready)
    if (ready.tokenizer !== tokenizer.fingerprint) {
      await reader.close()
      throw new EmendError(`${folder} was trained with another tokenizer; name its own with --tokenizer`)
    }
    return reader
  }

  /**
   * Rewards of every token of a response.
   *
   * @param eos whether the response ended by itself, so that its end is scored too
   * @throws ApiError 400 where prompt and response are empty or longer than the model's context
   */
  async score(prompt: string, response: string, eos: boolean): Promise<Heat> {
    if (this.#gone) throw unavailable('the reward model is gone; start the studio again')
    const [before] = (await encodePrompts(this.#tokenizer, [prompt])) as [Int32Array]
    const text = await this.#tokenizer.encode(response)
    const [end] = eos ? this.#ready.eos : []
    const ids = end === undefined ? text.ids : Int32Array.of(...text.ids, end)
    if (before.length === 0) throw new ApiError(400, 'the prompt is empty')
    if (ids.length === 0) throw new ApiError(400, 'the response is empty')
    const length = before.length + ids.length
    if (length > this.#ready.context)
      throw new ApiError(
        400,
        `prompt and response have ${length} tokens, the reward model reads ${this.#ready.context}`,
      )
    const { rewards, total } = await this.#read(before, ids)
    const at = text.text.length
    const tokens = Array.from(ids, (id, i) => {
      const [start, stop] = text.cover[i] ?? [at, at]
      const piece = i < text.ids.length ? text.text.slice(text.tile[i], text.tile[i + 1]) : ''
      return { id, start, end: stop, text: piece, reward: rewards[i] as number }
    })
    return { tokens, total, full: fullColour(tokens) }
  }

  #read(prompt: Int32Array, response: Int32Array): Promise<{ rewards: Float32Array; total: number }> {
    const task = this.#next++
    return new Promise((settle, fail) => {
      this.#waiting.set(task, { settle, fail })
      this.#worker.postMessage({ task, prompt, response } satisfies ToReader)
    })
  }

  #receive(message: FromReader): void {
    if (message.type === 'ready') return
    const waiting = this.#waiting.get(message.task)
    this.#waiting.delete(message.task)
    if (message.type === 'read') waiting?.settle(message)
    else waiting?.fail(new Error(message.message))
  }

  /** Ends the thread after what it is reading. */
  async close(): Promise<void> {
    if (!this.#gone) this.#worker.postMessage('close' satisfies ToReader)
    await this.#exited
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
