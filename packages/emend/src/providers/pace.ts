/** Limits of a provider: so many requests and tokens a minute, spread evenly, and silence after it asked for it. */

export interface PaceOptions {
  readonly requestsPerMinute?: number
  readonly tokensPerMinute?: number
  /** Milliseconds; for tests. */
  now?(): number
}

/**
 * Gives each call a time to begin. Calls keep the distance that their size needs at the rate allowed, so that no minute holds
 * more than is allowed and the one call that begins it.
 */
export class Pace {
  readonly #perRequest: number
  readonly #perToken: number
  readonly #now: () => number
  #next = 0

  constructor({ requestsPerMinute, tokensPerMinute, now = Date.now }: PaceOptions = {}) {
    this.#perRequest = requestsPerMinute === undefined ? 0 : 60_000 / requestsPerMinute
    this.#perToken = tokensPerMinute === undefined ? 0 : 60_000 / tokensPerMinute
    this.#now = now
  }

  /** Milliseconds that a call of so many tokens must wait; its place is taken. */
  take(tokens: number): number {
    const now = this.#now()
    const start = Math.max(now, this.#next)
    this.#next = start + Math.max(this.#perRequest, tokens * this.#perToken)
    return start - now
  }

  /** Nothing begins for so long. */
  hold(ms: number): void {
    this.#next = Math.max(this.#next, this.#now() + ms)
  }
}
