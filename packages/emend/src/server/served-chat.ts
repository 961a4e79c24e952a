/** The served model as one that answers chats: how it guards itself. Its samples join those of the requests in the one engine. */
import { CallError } from '../providers/call-error.js'
import type { ChatModel } from '../providers/chat-model.js'
import { ApiError } from './api-error.js'
import type { ServedModel } from './served-model.js'

/** What may wait for whoever asks, in tokens: more than any answer to a guard. */
const LAG = 65_536

/** The model with its chat template; a prefill is the true beginning of the answer. */
export function servedChat({ id, tokenizer, encodeChat, compute }: ServedModel): ChatModel {
  const refused = (message: string) => new CallError('refused', `${id}: ${message}`, { charged: false })
  const stopped = () => new CallError('stopped', `${id}: stopped`, { charged: true })
  return {
    name: `served:${id}`,
    async *chat(messages, { maxTokens = 1024, temperature = 1, seed = 0, signal, prefill, onEnd } = {}) {
      const ids = await encodeChat(messages).catch((error: unknown) => {
        throw error instanceof ApiError ? refused(error.message) : error
      })
      const begun = prefill ? (await tokenizer.encode(prefill, { continued: true })).ids : []
      const prompt = Int32Array.from([...ids, ...begun])
      const { context } = compute.ready
      if (prompt.length >= context) throw refused(`got ${prompt.length} tokens, expected fewer than ${context}`)
      if (signal?.aborted) throw stopped()
      const sampling = { temperature, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1 }
      const answer = compute.generate(
        [{ prompt, n: 1, maxNewTokens: maxTokens, sampling, seed, request: 0, stop: [] }],
        LAG,
        () => {},
      )
      const cancel = () => answer.cancel()
      signal?.addEventListener('abort', cancel, { once: true })
      try {
        for (let events = await answer.next(); events; events = await answer.next()) {
          for (const { text, finish, generated = 0 } of events) {
            if (text) yield text
            if (finish)
              onEnd?.({
                finish: finish === 'length' ? 'length' : 'stop',
                usage: { input: prompt.length, output: generated },
              })
          }
        }
        if (signal?.aborted) throw stopped()
      } finally {
        signal?.removeEventListener('abort', cancel)
        answer.cancel()
      }
    },
  }
}
