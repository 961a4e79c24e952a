/** The text of one sample as far as it is settled, with the tokens that make it. */
import { TextStream } from '../generation/index.js'
import type { Tokenizer } from '../text/tokenizer.js'
import type { SettledToken } from './protocol.js'

/** What has become settled. */
export interface Settled {
  readonly text: string
  readonly tokens?: readonly SettledToken[]
}

/**
 * Takes tokens as they are drawn, and gives text of which nothing will be taken back. A token is given once the text has grown
 * past its beginning, so that the tokens of a stop text go with it. (Behind bytes that turn out to be no UTF-8 a token counts
 * as beginning with their U+FFFD.)
 */
export class SampleText {
  readonly #stream: TextStream
  readonly #wantsTokens: boolean
  #tokens: SettledToken[] = []
  /** UTF-16 units given. */
  #length = 0

  /** @param wantsTokens whether tokens are given, or text only */
  constructor(tokenizer: Tokenizer, stop: readonly string[], wantsTokens: boolean) {
    this.#stream = new TextStream(tokenizer, { stop })
    this.#wantsTokens = wantsTokens
  }

  /** Whether a stop text came. */
  get stopped(): boolean {
    return this.#stream.stopped
  }

  /** Adds a token that is no EOS. */
  push(token: Omit<SettledToken, 'start'>): Settled {
    if (this.#wantsTokens) this.#tokens.push({ ...token, start: this.#stream.position })
    return this.#settled(this.#stream.push(token.id))
  }

  /** The rest of the text, unless a stop text came. */
  end(): Settled {
    const wasStopped = this.stopped
    const text = this.#stream.end()
    return wasStopped ? { text } : this.#settled(text, !this.stopped)
  }

  #settled(text: string, all = false): Settled {
    this.#length += text.length
    if (!this.#wantsTokens) return { text }
    const open = all ? -1 : this.#tokens.findIndex(({ start }) => start >= this.#length)
    return { text, tokens: this.#tokens.splice(0, open < 0 ? this.#tokens.length : open) }
  }
}
