/** A model in this process as one that answers chats. */
import type { LanguageModel } from '../language-model.js'
import { encodeChat } from '../text/chat-template.js'
import type { ChatModel } from './chat-model.js'

/**
 * The model with its chat template; one answer at a time. A prefill is the true beginning of the answer.
 *
 * @param name as it stands in provenance
 */
export function localModel(model: LanguageModel, name: string): ChatModel {
  let last: Promise<unknown> = Promise.resolve()
  return {
    name,
    async *chat(messages, { maxTokens = 1024, temperature = 1, seed = 0, signal, prefill, onEnd } = {}) {
      const before = last
      let free = () => {}
      last = new Promise<void>(resolve => {
        free = resolve
      })
      await before
      // Whoever goes away in the middle wants no more of it computed.
      const left = new AbortController()
      try {
        const { ids } = await encodeChat(model.tokenizer, messages, { addGenerationPrompt: true })
        const begun = prefill ? (await model.tokenizer.encode(prefill, { continued: true })).ids : []
        const prompt = Int32Array.from([...ids, ...begun])
        const pieces: string[] = []
        let wake = () => {}
        let over = false
        const answered = model
          .answer(prompt, {
            maxNewTokens: maxTokens,
            sampling: { temperature },
            seed,
            signal: signal ? AbortSignal.any([signal, left.signal]) : left.signal,
            onText: (_, piece) => {
              pieces.push(piece)
              wake()
            },
          })
          .finally(() => {
            over = true
            wake()
          })
        // The error is thrown below, once the pieces that came before it are out.
        answered.catch(() => {})
        while (pieces.length > 0 || !over) {
          if (pieces.length > 0) yield pieces.shift()!
          else
            await new Promise<void>(resolve => {
              wake = resolve
            })
        }
        const [answer] = await answered
        onEnd?.({
          finish: answer!.finish === 'length' ? 'length' : 'stop',
          usage: { input: prompt.length, output: answer!.ids.length },
        })
      } finally {
        left.abort()
        free()
      }
    },
  }
}
