/** What calls cost: prices come from whoever pays, never from here. Money is counted in whole billionths of the currency. */
import type { ChatMessage, Usage } from './chat-model.js'

/** For a million tokens, in any one currency. */
export interface Prices {
  readonly input: number
  readonly output: number
}

/** Billionths in one unit of the currency. */
export const NANO = 1e9

/** Billionths, rounded up: a price per million tokens is a thousand billionths a token. */
export function costOf({ input, output }: Usage, prices: Prices | undefined): number {
  return prices ? Math.ceil((input * prices.input + output * prices.output) * 1000 - 1e-6) : 0
}

/** What a chat template may put around a turn, and around all of them, in tokens. */
const AROUND_A_TURN = 16
const AROUND_ALL = 64

const bytes = (messages: readonly ChatMessage[], prefill = '') =>
  messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), Buffer.byteLength(prefill))

/** Tokens that a chat has at most: a token holds a byte of text or more, and templates add some. */
export function mostTokens(messages: readonly ChatMessage[], prefill?: string): number {
  return bytes(messages, prefill) + AROUND_A_TURN * messages.length + AROUND_ALL
}

/** Tokens that a chat has about: English is some four bytes a token. For forecasts only. */
export function aboutTokens(messages: readonly ChatMessage[], prefill?: string): number {
  return Math.ceil(bytes(messages, prefill) / 4) + 4 * messages.length
}
