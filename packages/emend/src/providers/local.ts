/** A model in this process as one that answers chats. */
import { createHash } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { EmendError } from '../errors.js'
import type { LanguageModel } from '../language-model.js'
import { encodeChat } from '../text/chat-template.js'
import { CallError } from './call-error.js'
import { stopped } from './call-failure.js'
import type { ChatModel } from './chat-model.js'

/**
 * The model with its chat template; one answer at a time. A prefill is the true beginning of the answer.
 *
 * @param name as it stands in provenance
 * @param identity tells models of one name apart; see `filesIdentity`
 */
export function localModel(model: LanguageModel, name: string, identity = name): ChatModel {
  let last: Promise<unknown> = Promise.resolve()
  return {
    name,
    identity,
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
      } catch (error) {
        if (signal?.aborted) throw stopped(name, signal, false)
        // Such as a chat that is longer than the model's context: another one may well be answered.
        if (error instanceof EmendError)
          throw new CallError('refused', `${name}: ${error.message}`, { charged: false, cause: error })
        throw error
      } finally {
        left.abort()
        free()
      }
    },
  }
}

/** A name with a digest of its files' names, sizes and times: a model that was trained on gives other answers. */
export function filesIdentity(name: string, path: string): string {
  const hash = createHash('sha256')
  const files = statSync(path).isDirectory()
    ? readdirSync(path, { recursive: true, encoding: 'utf8' })
        .sort()
        .map(file => join(path, file))
    : [path]
  for (const file of files) {
    const { size, mtimeMs } = statSync(file)
    hash.update(`${JSON.stringify(file.slice(path.length))} ${size} ${mtimeMs}\n`)
  }
  return `${name}#${hash.digest('hex').slice(0, 16)}`
}
