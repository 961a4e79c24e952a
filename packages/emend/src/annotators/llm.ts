/** A language model that edits: asked for the smallest change, checked, asked again, and if wanted judged. */
import { checkEdit } from '@emend/edits'
import type { Judge } from '../evaluation/judges/judge.js'
import { ask, type ChatModel } from '../providers/chat-model.js'
import type { Annotator, Draft, Edited, Failing } from './annotator.js'
import { askAgain, EDITOR_PROMPT, editorMessages } from './editor-prompt.js'
import { readEditorReply } from './editor-reply.js'

export interface LlmEditorOptions {
  /** Highest edit ratio over words; default 0.4. */
  readonly budget?: number
  /** How often it is asked once more after an answer that cannot be used; default 2. */
  readonly again?: number
  /** Keeps only edits that win against their draft. */
  readonly verify?: Judge
  /** Default 0. */
  readonly temperature?: number
  readonly maxTokens?: number
  readonly seed?: number
}

/** Makes an annotator of a chat model; its edits are signed with the model and the version of the prompt. */
export function llmEditor(model: ChatModel, options: LlmEditorOptions = {}): Annotator {
  const { budget = 0.4, again = 2, verify, temperature = 0, maxTokens, seed } = options
  const how = { temperature, ...(maxTokens !== undefined && { maxTokens }), ...(seed !== undefined && { seed }) }
  return {
    by: { kind: 'model', name: model.name, version: EDITOR_PROMPT },
    async edit(draft) {
      const first = editorMessages(draft)
      let messages = first
      for (let attempt = 0; ; attempt++) {
        const { text, finish } = await ask(model, messages, how)
        const result = examine(text, finish === 'length', draft, budget)
        if ('final' in result) return (verify && (await didNotWin(verify, draft, result.final))) ?? result
        if (attempt >= again) return result
        messages = askAgain(first, text, result.rejected)
      }
    },
  }
}

function examine(answer: string, truncated: boolean, { draft }: Draft, budget: number): Edited {
  const fail = (failing: Failing, rejected: string) => ({ failing, rejected })
  if (truncated) return fail('truncated', 'the answer was cut off by its length')
  const reply = readEditorReply(answer, draft)
  if ('chatty' in reply) return fail('chatty', reply.chatty)
  const { flags, reasons } = checkEdit({ draft, final: reply.final }, { maxRatio: budget })
  return flags[0] ? fail(flags[0], reasons[0]!) : reply
}

async function didNotWin(judge: Judge, { prompt, draft }: Draft, final: string): Promise<Edited | undefined> {
  const { preference } = await judge.compare({ prompt, a: draft, b: final })
  if (preference !== null && preference > 1.5) return undefined
  const said = preference === null ? 'gave no judgement' : preference < 1.5 ? 'prefers the draft' : 'sees no difference'
  return { failing: 'did-not-win', rejected: `${judge.name} ${said}` }
}
