/** Text as its tokens come: never part of a character, never part of a stop string. */

import type { Tokenizer } from '../text/tokenizer.js'

export interface TextStreamOptions {
  /** strings that end the text; they are no part of it */
  readonly stop?: readonly string[]
  /** whether special tokens are written out; by default they are skipped */
  readonly specials?: boolean
}

const SPACE = 0x20
const NO_BYTES = new Uint8Array()

/**
 * Ids in, text out, of which nothing will be taken back: incomplete UTF-8 and what may become a stop string are held
 * until more is known. The pieces joined are `tokenizer.decode` of the ids, up to the stop string that is complete first
 * (of two that end together the longer one); where a text is cut into tokens makes no difference.
 */
export class TextStream {
  readonly #tokenizer: Pick<Tokenizer, 'tokenBytes' | 'isSpecial' | 'decode'>
  readonly #stops: readonly string[]
  readonly #specials: boolean
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  #held = ''
  #given = 0
  #first = true
  #stopped = false

  constructor(tokenizer: Pick<Tokenizer, 'tokenBytes' | 'isSpecial' | 'decode'>, options: TextStreamOptions = {}) {
    this.#tokenizer = tokenizer
    this.#stops = (options.stop ?? []).filter(stop => stop !== '')
    this.#specials = options.specials ?? false
  }

  /** Whether a stop string has come: the text has ended. */
  get stopped(): boolean {
    return this.#stopped
  }

  /** UTF-16 units of the whole characters so far, given or held: where the text of the next token begins. */
  get position(): number {
    return this.#given + this.#held.length
  }

  /**
   * The text that a token settles; empty behind a stop string.
   * @throws RangeError on an id the vocabulary lacks
   */
  push(id: number): string {
    return this.#stopped ? '' : this.#settle(this.#decoder.decode(this.#bytes(id), { stream: true }))
  }

  /** What was held back, when no more tokens come; a character that stayed incomplete as U+FFFD. */
  end(): string {
    if (this.#stopped) return ''
    const settled = this.#settle(this.#decoder.decode())
    const rest = this.#held
    this.#held = ''
    this.#given += rest.length
    return settled + rest
  }

  #settle(text: string): string {
    const before = this.#held.length
    this.#held += text
    const found = this.#firstStop(before)
    this.#stopped = found >= 0
    const end = this.#stopped ? found : this.#held.length - this.#possibleStop()
    const settled = this.#held.slice(0, end)
    this.#held = this.#stopped ? '' : this.#held.slice(end)
    this.#given += end
    return settled
  }

  /** Where the stop string begins that is complete first, none of them before `searched`; -1 without one. */
  #firstStop(searched: number): number {
    let best = { from: -1, to: Infinity }
    for (const stop of this.#stops) {
      const from = this.#held.indexOf(stop, Math.max(0, searched - stop.length + 1))
      const to = from + stop.length
      if (from >= 0 && (to < best.to || (to === best.to && from < best.from))) best = { from, to }
    }
    return best.from
  }

  /** How many of the last characters may begin a stop string. */
  #possibleStop(): number {
    let longest = 0
    for (const stop of this.#stops) {
      let n = Math.min(stop.length - 1, this.#held.length)
      while (n > longest && !this.#held.endsWith(stop.slice(0, n))) n--
      longest = Math.max(longest, n)
    }
    return longest
  }

  #bytes(id: number): Uint8Array {
    const bytes = this.#tokenizer.tokenBytes(id)
    if (this.#tokenizer.isSpecial(id)) return this.#specials ? bytes : NO_BYTES
    // Tokenizers that put a space before a text drop it again when they decode.
    const dropped = this.#first && bytes[0] === SPACE && !this.#tokenizer.decode([id]).startsWith(' ')
    this.#first = false
    return dropped ? bytes.subarray(1) : bytes
  }
}
