/** A model behind a guard: who asks for harm gets a refusal, everybody else the model's own answer. */
import type { ChatMessage, ChatModel, ChatOptions, Usage } from '../providers/chat-model.js'
import type { Guard, GuardVerdict } from './guard.js'
import { said } from './said.js'

/** What is answered to a refused request. */
export const REFUSAL = "I can't help with that request."

export interface GuardedOptions {
  /** Default SAID, by the model itself. */
  readonly guard?: Guard
  /** Default `REFUSAL`. */
  readonly refusal?: string
  /** Told before the answer begins. */
  onVerdict?(verdict: GuardVerdict): void
}

/**
 * The model behind a guard, as a model: refusals stream as answers do and end as `filtered`; usage is that of answer and guard
 * together.
 *
 * ```ts
 * const careful = guarded(model, { guard: said(smaller) })
 * for await (const piece of careful.chat([{ role: 'user', content: 'Hello' }])) process.stdout.write(piece)
 * ```
 */
export function guarded(model: ChatModel, options: GuardedOptions = {}): ChatModel {
  const { guard = said(model), refusal = REFUSAL, onVerdict } = options
  const identity = `${model.identity ?? model.name}+${guard.name}`
  return {
    name: `${model.name}+${guard.name}`,
    identity: refusal === REFUSAL ? identity : `${identity}+${JSON.stringify(refusal)}`,
    async *chat(messages: readonly ChatMessage[], how: ChatOptions = {}) {
      const { signal, prefill } = how
      // The beginning that an answer is given is as much a part of the request as its turns.
      const turns = prefill ? [...messages, { role: 'assistant', content: prefill }] : messages
      const verdict = await guard.check(turns, signal ? { signal } : {})
      onVerdict?.(verdict)
      const { cost } = verdict
      const withGuard = (usage: Usage | undefined) =>
        usage &&
        cost.usage_unknown === 0 && {
          usage: { input: usage.input + cost.input_tokens, output: usage.output + cost.output_tokens },
        }
      if (!verdict.refused) {
        yield* model.chat(messages, {
          ...how,
          onEnd: ({ usage, ...end }) => how.onEnd?.({ ...end, ...withGuard(usage) }),
        })
        return
      }
      yield* inWords(refusal)
      how.onEnd?.({ finish: 'filtered', ...withGuard({ input: 0, output: 0 }) })
    },
  }
}

/** A text in pieces of a word each, as a model would write it. */
export const inWords = (text: string): string[] => text.split(/(?<=\s)(?=\S)/)
