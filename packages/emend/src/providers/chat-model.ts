/** What every language model is here, remote or ours: turns of a chat in, text out. */

/** One turn of a chat. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

/** What was read and written, in tokens as the provider counts them. */
export interface Usage {
  readonly input: number
  readonly output: number
}

/** How an answer ended: by itself, by its length, by a filter of the provider's, or in a way it does not tell. */
export type ChatFinish = 'stop' | 'length' | 'filtered' | 'other'

/** What is known once an answer is there. */
export interface ChatEnd {
  readonly finish: ChatFinish
  /** Absent where the provider does not tell. */
  readonly usage?: Usage
  /** Settings that the provider does not take, by name. */
  readonly ignored?: readonly string[]
  /** The answer was paid before, and came from disk. */
  readonly cached?: boolean
}

/** How an answer is wanted. */
export interface ChatOptions {
  /** Longest answer in tokens. */
  readonly maxTokens?: number
  /** 0 is greedy; default the model's own. */
  readonly temperature?: number
  readonly seed?: number
  readonly signal?: AbortSignal
  /** How the answer begins; it is no part of what comes back. Remote providers get it as a last turn of the assistant's. */
  readonly prefill?: string
  /** Called once, when the answer is whole. */
  onEnd?(end: ChatEnd): void
}

/** A language model that answers chats. */
export interface ChatModel {
  /** As it stands in provenance, such as `openai:NAME`. */
  readonly name: string
  /** Tells models of one name apart, such as by their address; default the name. */
  readonly identity?: string
  /** The answer, in pieces as they come. @throws CallError where there is none */
  chat(messages: readonly ChatMessage[], options?: ChatOptions): AsyncIterable<string>
}

/** A whole answer. */
export interface ChatAnswer extends ChatEnd {
  readonly text: string
}

/** The whole answer of a chat. */
export async function ask(
  model: ChatModel,
  messages: readonly ChatMessage[],
  options: ChatOptions = {},
): Promise<ChatAnswer> {
  let text = ''
  let end: ChatEnd = { finish: 'other' }
  const onEnd = (told: ChatEnd) => {
    end = told
    options.onEnd?.(told)
  }
  for await (const piece of model.chat(messages, { ...options, onEnd })) text += piece
  return { text, ...end }
}
