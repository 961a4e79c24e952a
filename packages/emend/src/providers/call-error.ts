/** Why a language model gave no answer, and what that means for money and for trying again. */
import { EmendError } from '../errors.js'

/**
 * `broken`: an answer that is no answer, or ends in its middle; `overlong`: one that is far longer than was allowed; `refused`: the
 * request itself is wrong; `denied`: the key, the model or the address, so that no other call will go better.
 */
export type CallFailure =
  | 'rate limit'
  | 'server error'
  | 'timeout'
  | 'broken'
  | 'overlong'
  | 'network'
  | 'refused'
  | 'denied'
  | 'stopped'

const AGAIN: readonly CallFailure[] = ['rate limit', 'server error', 'timeout', 'broken', 'network']

/** A call without an answer. */
export class CallError extends EmendError {
  override name = 'CallError'
  readonly failure: CallFailure
  /** How long the provider wants to be left alone, in milliseconds. */
  readonly retryAfter?: number
  /** Whether the provider may charge for it. */
  readonly charged: boolean

  constructor(
    failure: CallFailure,
    message: string,
    o: { charged: boolean; retryAfter?: number | undefined; cause?: unknown },
  ) {
    super(message, { cause: o.cause })
    this.failure = failure
    this.charged = o.charged
    if (o.retryAfter !== undefined) this.retryAfter = o.retryAfter
  }

  /** Whether the same call may go well another time. */
  get retryable(): boolean {
    return AGAIN.includes(this.failure)
  }
}

/** The spending cap leaves no room for the worst that the next call may cost. */
export class CapError extends EmendError {
  override name = 'CapError'
}
