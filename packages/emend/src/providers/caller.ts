/** A language model whose calls are paced, tried again, kept on disk and held under a spending cap. */
import { setTimeout as sleep } from 'node:timers/promises'
import pLimit from 'p-limit'
import { UsageError } from '../errors.js'
import { formatSeconds } from '../progress.js'
import { CallError, CapError } from './call-error.js'
import { type CallRequest, CallStore, callKey, type KeptAnswer } from './call-store.js'
import { ask, type ChatAnswer, type ChatMessage, type ChatModel, type ChatOptions, type Usage } from './chat-model.js'
import { Pace, type PaceOptions } from './pace.js'
import { aboutTokens, costOf, mostTokens, NANO, type Prices } from './price.js'

export interface CallerOptions extends PaceOptions {
  /** Where answers and spending are kept; default in memory only. */
  readonly store?: CallStore
  readonly prices?: Prices
  /** Most that may be spent with this store, over all its runs, in the currency of the prices. */
  readonly cap?: number
  /** Longest answer where a call does not say; default 1024. */
  readonly maxTokens?: number
  /** Calls under way at once; default 4. */
  readonly concurrency?: number
  /** How often a call that failed is tried again; default 5. */
  readonly retries?: number
  /** Milliseconds that a whole answer may take; default 120,000. */
  readonly timeout?: number
  /** Milliseconds before the first second attempt, doubled each time, at most a minute; default 500. */
  readonly backoff?: number
  /** Once aborted no request is sent; those under way come to their end, since they are paid. */
  readonly stop?: AbortSignal
}

/** What became of the calls of one run; money in the currency of the prices. */
export interface CallSummary {
  /** Answers that came from the provider, and from disk. */
  readonly answered: number
  readonly cached: number
  /** Requests sent. */
  readonly attempts: number
  /** Calls that have no answer. */
  readonly given_up: number
  /** Failed attempts and calls that the cap stopped, by kind, with the first message of each. */
  readonly failures: Readonly<Record<string, { readonly n: number; readonly first: string }>>
  readonly input_tokens: number
  readonly output_tokens: number
  /** Answers whose provider did not tell their usage: they count at their worst. */
  readonly usage_unknown: number
  /** Settings that the provider does not take, by name: answers were given without them. */
  readonly ignored: readonly string[]
  /** Of this store, over all its runs; what may have been charged counts at its worst. */
  readonly spent: number
  /** Calls of this store that never came to an end. */
  readonly open: number
}

const MOST_WAIT = 60_000
/** Longest that a provider may ask to be left alone; a call that would wait longer is given up. */
const MOST_ASKED = 600_000
/** Of a timer, in milliseconds. */
const MOST_TIMEOUT = 2 ** 31 - 1
/** A usage beyond is no usage. */
const MOST_TOKENS = 1e9

/**
 * ```ts
 * const caller = new Caller(await remoteModel({ provider: 'openai', model }), { store: new CallStore('calls.db'), prices, cap: 5 })
 * const { text } = await ask(caller, [{ role: 'user', content: 'Hello' }])
 * ```
 *
 * The same call again is answered from disk. Before each attempt the worst that it can cost is set aside: if the cap has no
 * room for it, it waits for calls under way, and is refused (CapError) when there are none. An answer comes in one piece, since
 * half of one cannot be taken back.
 */
export class Caller implements ChatModel {
  readonly name: string
  readonly identity: string
  readonly #model: ChatModel
  readonly #options: CallerOptions
  readonly #store: CallStore
  readonly #pace: Pace
  readonly #limit: ReturnType<typeof pLimit>
  /** Calls that have no answer yet, each with the signal of whoever began it. */
  readonly #underWay = new Map<string, { answer: Promise<ChatAnswer>; signal: AbortSignal | undefined }>()
  readonly #counts = {
    answered: 0,
    cached: 0,
    attempts: 0,
    given_up: 0,
    input_tokens: 0,
    output_tokens: 0,
    usage_unknown: 0,
  }
  readonly #failures: Record<string, { n: number; first: string }> = {}
  readonly #ignored = new Set<string>()
  /** By how much an answer cost more tokens than could be known, such as by turns that the provider adds: set aside from then on. */
  readonly #beyond = { input: 0, output: 0 }
  /** Reservations of this caller that are not settled, and who waits for one to be. */
  #reserved = 0
  #waiting: (() => void)[] = []

  /** @throws UsageError for a cap without prices */
  constructor(model: ChatModel, options: CallerOptions = {}) {
    if (options.cap !== undefined && !options.prices)
      throw new UsageError('a spending cap needs prices: give those of input and output for a million tokens')
    this.name = model.name
    this.identity = model.identity ?? model.name
    this.#model = model
    this.#options = options
    this.#store = options.store ?? new CallStore(':memory:')
    this.#pace = new Pace(options)
    this.#limit = pLimit(options.concurrency ?? 4)
  }

  async *chat(messages: readonly ChatMessage[], options: ChatOptions = {}): AsyncGenerator<string> {
    const { text, ...end } = await this.#answer(messages, options)
    if (text !== '') yield text
    options.onEnd?.(end)
  }

  /** Whether a call would be answered from disk. */
  has(messages: readonly ChatMessage[], options: ChatOptions = {}): boolean {
    return this.#store.find(callKey(this.#request(messages, options))) !== undefined
  }

  summary(): CallSummary {
    const { spent, open } = this.#store.spending()
    return {
      ...this.#counts,
      failures: structuredClone(this.#failures),
      ignored: [...this.#ignored],
      spent: spent / NANO,
      open,
    }
  }

  #request(messages: readonly ChatMessage[], { maxTokens, temperature, seed, prefill }: ChatOptions): CallRequest {
    return {
      model: this.identity,
      messages: messages.map(({ role, content }) => ({ role, content: content.toWellFormed() })),
      maxTokens: maxTokens ?? this.#options.maxTokens ?? 1024,
      ...(temperature !== undefined && { temperature }),
      ...(seed !== undefined && { seed }),
      ...(prefill && { prefill }),
    }
  }

  async #answer(messages: readonly ChatMessage[], options: ChatOptions): Promise<ChatAnswer> {
    const request = this.#request(messages, options)
    const key = callKey(request)
    for (;;) {
      const kept = this.#store.find(key)
      if (kept) {
        this.#counts.cached++
        return { ...kept, cached: true }
      }
      const same = this.#underWay.get(key)
      if (!same) break
      try {
        const answer = await same.answer
        this.#counts.cached++
        return { ...answer, cached: true }
      } catch (error) {
        // Whoever began it had enough of it, and nobody else.
        if (!same.signal?.aborted || options.signal?.aborted) throw error
      }
    }
    const { signal } = options
    const answer = this.#limit(() => this.#call(key, request, signal)).finally(() => this.#underWay.delete(key))
    this.#underWay.set(key, { answer, signal })
    return answer
  }

  async #call(key: string, request: CallRequest, signal: AbortSignal | undefined): Promise<KeptAnswer> {
    const { retries = 5 } = this.#options
    try {
      for (let attempt = 0; ; attempt++) {
        try {
          return await this.#attempt(key, request, signal)
        } catch (error) {
          if (!(error instanceof CallError) || !error.retryable || attempt >= retries) throw error
          const { retryAfter = 0, failure } = error
          if (retryAfter > MOST_ASKED) throw tooLong(error, retryAfter)
          const wait = retryAfter || this.#backoff(attempt)
          if (failure === 'rate limit') this.#pace.hold(wait)
          await this.#sleep(wait, signal)
        }
      }
    } catch (error) {
      this.#counts.given_up++
      if (!(error instanceof CallError)) this.#note(error instanceof CapError ? 'spending cap' : 'error', error)
      throw error
    }
  }

  /** Doubled each time, and spread, so that calls which failed together do not come back together. */
  #backoff(attempt: number): number {
    return Math.min((this.#options.backoff ?? 500) * 2 ** attempt, MOST_WAIT) * (0.75 + Math.random() / 2)
  }

  /** @throws CallError `stopped` as soon as nothing is to be sent any more */
  async #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const ends = [signal, this.#options.stop].filter(each => each !== undefined)
    try {
      if (ms > 0) await sleep(ms, undefined, { signal: AbortSignal.any(ends) })
    } catch {}
    if (ends.some(({ aborted }) => aborted))
      throw new CallError('stopped', `${this.name}: stopped before it was asked`, { charged: false })
  }

  async #attempt(key: string, request: CallRequest, signal: AbortSignal | undefined): Promise<KeptAnswer> {
    const { prices, timeout = 120_000 } = this.#options
    const { messages, maxTokens, temperature, seed, prefill } = request
    await this.#sleep(this.#pace.take(aboutTokens(messages, prefill) + maxTokens), signal)
    const number = await this.#reserve(key, () =>
      costOf(
        {
          input: mostTokens(messages, prefill) + this.#beyond.input,
          output: maxTokens + this.#beyond.output,
        },
        prices,
      ),
    )
    try {
      await this.#sleep(0, signal)
      this.#counts.attempts++
      const late = AbortSignal.timeout(Math.min(timeout, MOST_TIMEOUT))
      const { text, finish, usage, ignored } = await ask(this.#model, messages, {
        maxTokens,
        ...(temperature !== undefined && { temperature }),
        ...(seed !== undefined && { seed }),
        ...(prefill !== undefined && { prefill }),
        signal: signal ? AbortSignal.any([signal, late]) : late,
      })
      for (const setting of ignored ?? []) this.#ignored.add(setting)
      const told = usage && isUsage(usage, text) ? usage : undefined
      // UTF-8 has no halves of characters: the answer is the same from disk.
      const answer = { text: text.toWellFormed(), finish, ...(told && { usage: told }) }
      this.#store.answered(number, key, request, answer, told && costOf(told, prices))
      this.#counts.answered++
      if (told) {
        this.#counts.input_tokens += told.input
        this.#counts.output_tokens += told.output
        this.#beyond.input = Math.max(this.#beyond.input, told.input - mostTokens(messages, prefill))
        this.#beyond.output = Math.max(this.#beyond.output, told.output - maxTokens)
      } else this.#counts.usage_unknown++
      return answer
    } catch (error) {
      this.#store.failed(
        number,
        error instanceof CallError ? error.failure : 'error',
        !(error instanceof CallError) || error.charged,
      )
      if (error instanceof CallError) this.#note(error.failure, error)
      throw error
    } finally {
      this.#reserved--
      for (const wake of this.#waiting.splice(0)) wake()
    }
  }

  /** @throws CapError where the cap leaves no room, and nothing under way here can make some */
  async #reserve(key: string, worstNow: () => number): Promise<number> {
    const { cap } = this.#options
    const most = cap === undefined ? Number.POSITIVE_INFINITY : Math.floor(cap * NANO)
    for (;;) {
      const worst = worstNow()
      const number = this.#store.reserve(key, worst, most)
      if (number !== undefined) {
        this.#reserved++
        return number
      }
      if (this.#reserved === 0) {
        const spent = this.#store.spending().spent / NANO
        throw new CapError(
          `the spending cap of ${cap} leaves no room: ${money(spent)} is spent or set aside (${this.#store.path}), the next call may cost ${money(worst / NANO)}; raise the cap to go on`,
        )
      }
      await new Promise<void>(wake => this.#waiting.push(wake))
    }
  }

  #note(kind: string, error: unknown): void {
    const found = (this.#failures[kind] ??= { n: 0, first: (error as Error).message })
    found.n++
  }
}

/** The failure of a call that is given up, since the provider asks for patience beyond what a run has. */
function tooLong({ failure, charged, message, cause }: CallError, retryAfter: number): CallError {
  const asked = `${message}; it asks to be left alone for ${formatSeconds(retryAfter / 1000)}`
  const most = formatSeconds(MOST_ASKED / 1000)
  return new CallError(failure, `${asked}, and no call waits longer than ${most}: run it again then`, {
    ...{ charged, retryAfter, cause },
  })
}

/**
 * Whether a usage can be one: a server may tell anything, and less than nothing would lift the cap. The SDK makes 0 of what a server
 * leaves out, though a chat has tokens, and so has a text.
 */
const isUsage = ({ input, output }: Usage, text: string): boolean =>
  [input, output].every(n => Number.isInteger(n) && n >= 0 && n <= MOST_TOKENS) &&
  input > 0 &&
  (output > 0 || text === '')

/** An amount with four significant digits or two decimals, whichever says more. */
export const money = (amount: number): string =>
  amount === 0 || amount >= 1 ? amount.toFixed(2) : String(Number(amount.toPrecision(4)))
