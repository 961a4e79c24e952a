/** A language model for callers that somebody waits for. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CallError } from './call-error.js'
import { ask, type ChatModel } from './chat-model.js'

/** Before the second try, in milliseconds, where the provider does not say, and at most. */
const WAIT = 500
const MOST_WAIT = 5000
/** Of a timer, in milliseconds. */
const MOST_TIMEOUT = 2 ** 31 - 1

/**
 * The same model, each of whose calls ends within `timeout` milliseconds and is tried once more within them where that may help.
 * An answer comes in one piece, since half of one cannot be taken back. Unlike `Caller` it keeps nothing of what it was asked.
 */
export function bounded(model: ChatModel, timeout: number): ChatModel {
  return {
    ...model,
    async *chat(messages, { onEnd, signal, ...how } = {}) {
      const late = AbortSignal.timeout(Math.min(timeout, MOST_TIMEOUT))
      const ends = signal ? AbortSignal.any([signal, late]) : late
      const attempt = () => ask(model, messages, { ...how, signal: ends })
      const { text, ...end } = await attempt().catch(async (error: unknown) => {
        const wait =
          error instanceof CallError && error.retryable ? (error.retryAfter ?? WAIT) : Number.POSITIVE_INFINITY
        if (wait > MOST_WAIT) throw error
        await sleep(wait, undefined, { signal: ends }).catch(() => {
          throw error
        })
        return attempt()
      })
      if (text !== '') yield text
      onEnd?.(end)
    },
  }
}
