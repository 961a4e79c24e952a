/** A model whose answers a program gives: for tests, and for worlds that play one. */

import type { ChatMessage, ChatModel } from './chat-model.js'
import { aboutTokens } from './price.js'

/** Answers with what `reply` says, word by word, so that whoever streams is seen to. */
export function scriptedModel(
  name: string,
  reply: (messages: readonly ChatMessage[], prefill: string | undefined) => string | Promise<string>,
): ChatModel {
  return {
    name,
    async *chat(messages, { prefill, onEnd } = {}) {
      const text = await reply(messages, prefill)
      yield* text.split(/(?<=\s)(?=\S)/)
      onEnd?.({
        finish: 'stop',
        usage: { input: aboutTokens(messages, prefill), output: Math.ceil(text.length / 4) },
      })
    },
  }
}
