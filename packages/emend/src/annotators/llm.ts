/** A language model that edits: asked for the smallest change, checked, asked again, and if wanted judged. */
import { checkEdit } from '@emend/edits'
import type { Judge } from '../evaluation/judges/judge.js'
import { ask, type ChatFinish, type ChatModel } from '../providers/chat-model.js'
import type { Annotator, Draft, Edited, Failing } from './annotator.js'
import { askAgain, EDITOR_PROMPT, editorMessages, finalTag } from './editor-prompt.js'
import { readEditorReply } from './editor-reply.js'

export interface LlmEditorOptions {
  /** Highest edit ratio over words; default 0.4; 1 holds nothing back. */
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

/** The longest that tokens are on average, in bytes; English has some four. */
const LONG_TOKENS = 8

/** Why a draft is not worth a call: there is nothing to change, or no answer that is allowed can hold it. */
export function notAsked(draft: string, maxTokens: number | undefined): Edited | undefined {
  if (draft.trim() === '') return { failing: 'empty-draft', rejected: 'the draft is empty' }
  const bytes = Buffer.byteLength(draft)
  if (maxTokens === undefined || bytes <= LONG_TOKENS * maxTokens) return undefined
  return { failing: 'too-long', rejected: `the draft has ${bytes} bytes, and an answer ${maxTokens} tokens at most` }
}

/** Makes an annotator of a chat model; its edits are signed with the model and the version of the prompt. */
export function llmEditor(model: ChatModel, options: LlmEditorOptions = {}): Annotator {
  const { budget = 0.4, again = 2, verify, temperature = 0, maxTokens, seed } = options
  const how = { temperature, ...(maxTokens !== undefined && { maxTokens }), ...(seed !== undefined && { seed }) }
  const version = verify ? `${EDITOR_PROMPT}, kept by ${verify.name}` : EDITOR_PROMPT
  return {
    by: { kind: 'model', name: model.name, version },
    async edit(draft) {
      const unasked = notAsked(draft.draft, maxTokens)
      if (unasked) return unasked
      const first = editorMessages(draft)
      let messages = first
      for (let attempt = 0; ; attempt++) {
        const { text, finish } = await ask(model, messages, how)
        const result = examine(text, finish, draft, budget)
        if ('final' in result) return (verify && (await didNotWin(verify, draft, result.final))) ?? result
        if (attempt >= again || result.failing === 'filtered') return result
        messages = askAgain(first, { answer: text, why: result.rejected, tag: finalTag(draft.draft) })
      }
    },
  }
}

/** Least share of the characters that an edit keeps, however large its budget, unless all may go. */
const MIN_SHARED = 0.2

function examine(answer: string, finish: ChatFinish, { draft }: Draft, budget: number): Edited {
  const fail = (failing: Failing, rejected: string) => ({ failing, rejected })
  if (finish === 'length') return fail('truncated', 'the answer was cut off by its length')
  if (finish === 'filtered') return fail('filtered', "the provider's filter cut the answer off")
  const reply = readEditorReply(answer, draft)
  if ('chatty' in reply) return fail('chatty', reply.chatty)
  const { flags, reasons } = checkEdit(
    { draft, final: reply.final },
    { maxRatio: budget, minShared: Math.min(MIN_SHARED, 1 - budget) },
  )
  return flags[0] ? fail(flags[0], reasons[0]!) : reply
}

async function didNotWin(judge: Judge, { prompt, draft }: Draft, final: string): Promise<Edited | undefined> {
  const { preference } = await judge.compare({ prompt, a: draft, b: final })
  if (preference !== null && preference > 1.5) return undefined
  const said = preference === null ? 'gave no judgement' : preference < 1.5 ? 'prefers the draft' : 'sees no difference'
  return { failing: 'did-not-win', rejected: `${judge.name} ${said}` }
}
