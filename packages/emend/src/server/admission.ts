/** Back-pressure: how much may be under way at once; what comes beyond it is refused, never stored. */
import { ApiError } from './api-error.js'

/** Counts what is under way, from the arrival of a request until its client has the whole answer. */
export class Admission {
  #used = 0
  #closed = false

  /** @param capacity samples and scores under way at once: those computed and those that wait */
  constructor(readonly capacity: number) {}

  get used(): number {
    return this.#used
  }

  /**
   * Takes places.
   *
   * @returns what gives them back; calling it again does nothing
   * @throws ApiError 429 where there are not so many free, 503 after `close`
   */
  take(places: number): () => void {
    if (this.#closed) throw new ApiError(503, 'the server is stopping', { code: 'unavailable' })
    if (this.#used + places > this.capacity) {
      throw new ApiError(429, `${this.#used} of ${this.capacity} places are taken, ${places} wanted; try again later`, {
        code: 'queue_full',
        headers: { 'retry-after': '1' },
      })
    }
    this.#used += places
    let given = false
    return () => {
      if (given) return
      given = true
      this.#used -= places
    }
  }

  /** Lets nothing in any more. */
  close(): void {
    this.#closed = true
  }
}
