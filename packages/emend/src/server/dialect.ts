/** The two shapes in which OpenAI's API tells of a generated text: chat completions and plain completions. */
import type { Tokenizer } from '../text/tokenizer.js'
import type { SettledToken } from './protocol.js'

/** A whole choice, or what one chunk of a stream adds to it. */
export interface Piece {
  readonly index: number
  readonly text: string
  /** only where log-probabilities were asked for */
  readonly tokens?: readonly SettledToken[]
  readonly finish: 'stop' | 'length' | 'content_filter' | null
}

export interface Dialect {
  /** begins the id of an answer */
  readonly prefix: string
  readonly object: string
  readonly chunkObject: string
  /** What opens the stream of a choice, if anything. */
  opening(index: number): object | undefined
  /** An entry of `choices` in a chunk. */
  delta(piece: Piece): object
  /** An entry of `choices` in a whole answer. */
  whole(piece: Piece): object
}

/** The smallest number that stands for a log-probability; JSON has no −∞. */
const NONE = -9999

/** `chat.completion`: log-probabilities as a list of tokens with their bytes. */
export function chatDialect(tokenizer: Tokenizer): Dialect {
  const entry = (id: number, logprob: number) => ({
    token: tokenizer.tokenText(id),
    logprob: Math.max(logprob, NONE),
    bytes: [...tokenizer.tokenBytes(id)],
  })
  const logprobs = (tokens: Piece['tokens']) =>
    tokens
      ? {
          content: tokens.map(({ id, logprob, top }) => ({
            ...entry(id, logprob),
            top_logprobs: top.map(each => entry(...each)),
          })),
          refusal: null,
        }
      : null
  return {
    prefix: 'chatcmpl',
    object: 'chat.completion',
    chunkObject: 'chat.completion.chunk',
    opening: index => ({
      index,
      delta: { role: 'assistant', content: '', refusal: null },
      logprobs: null,
      finish_reason: null,
    }),
    delta: ({ index, text, tokens, finish }) => ({
      index,
      delta: text || tokens?.length ? { content: text } : {},
      logprobs: tokens?.length ? logprobs(tokens) : null,
      finish_reason: finish,
    }),
    whole: ({ index, text, tokens, finish }) => ({
      index,
      message: { role: 'assistant', content: text, refusal: null },
      logprobs: logprobs(tokens),
      finish_reason: finish,
    }),
  }
}

/** `text_completion`: log-probabilities as parallel lists; offsets count UTF-16 units of the completion. */
export function completionDialect(tokenizer: Tokenizer): Dialect {
  const choice = ({ index, text, tokens, finish }: Piece) => ({
    index,
    text,
    logprobs: tokens
      ? {
          tokens: tokens.map(({ id }) => tokenKey(tokenizer, id)),
          token_logprobs: tokens.map(({ logprob }) => Math.max(logprob, NONE)),
          // The sampled token is among them even where others are likelier.
          top_logprobs: tokens.map(({ id, logprob, top }) =>
            Object.fromEntries(
              [...top, [id, logprob] as const].map(([other, x]) => [tokenKey(tokenizer, other), Math.max(x, NONE)]),
            ),
          ),
          text_offset: tokens.map(({ start }) => start),
        }
      : null,
    finish_reason: finish,
  })
  return {
    prefix: 'cmpl',
    object: 'text_completion',
    chunkObject: 'text_completion',
    opening: () => undefined,
    delta: ({ tokens, ...piece }) => choice(tokens?.length ? { ...piece, tokens } : piece),
    whole: choice,
  }
}

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text of a token; one that is no whole characters by its bytes, `bytes:\xe2\x80`, so that two never look the same. */
function tokenKey(tokenizer: Tokenizer, id: number): string {
  const bytes = tokenizer.tokenBytes(id)
  try {
    return STRICT.decode(bytes)
  } catch {
    return `bytes:${Array.from(bytes, byte => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`
  }
}
