/** Edits → pairs of ids with labels: the final is chosen, the draft rejected. */
import { type Edit, labelTokens, type TokenizedText, withEos } from '@emend/edits'
import { EmendError } from '../errors.js'
import type { Tokenizer } from '../text/index.js'
import { encodePrompts } from '../text/prompts.js'
import type { Pair } from './pairs.js'

/**
 * Tokenises edits for training. A draft that was sampled with this tokenizer keeps its ids exactly as sampled; everything else
 * is encoded. The final ends with EOS; so does the draft, unless it was sampled and did not end.
 *
 * @param eos the id that ends a response
 * @throws EmendError for a prompt that is a conversation where the model has no chat template
 */
export async function pairsFromEdits(edits: readonly Edit[], tokenizer: Tokenizer, eos: number): Promise<Pair[]> {
  const prompts = await encodePrompts(
    tokenizer,
    edits.map(edit => edit.prompt),
  )
  const drafts = await tokenizer.encodeBatch(edits.map(edit => edit.draft))
  const finals = await tokenizer.encodeBatch(edits.map(edit => edit.final))
  return edits.map((edit, i) => {
    const sampled = edit.sampled?.tokenizer === tokenizer.fingerprint ? edit.sampled : undefined
    const ended = sampled?.ended ?? true
    const draft = sampled ? asSampled(edit, sampled.ids, tokenizer) : withEos(drafts[i] as TokenizedText, eos)
    const final = withEos(finals[i] as TokenizedText, eos)
    return {
      id: edit.id,
      prompt: prompts[i] as Int32Array,
      chosen: { ids: final.ids, ended: true },
      rejected: { ids: draft.ids, ended },
      source: 'edit',
      labels: labelTokens(edit.ops, draft, final),
    }
  })
}

/** The sampled ids, EOS among them, with the characters each covers; they must decode to the draft that was edited. */
function asSampled(edit: Edit, ids: readonly number[], tokenizer: Tokenizer): TokenizedText {
  const draft = tokenizer.locate(ids)
  if (draft.text !== edit.draft) {
    throw new EmendError(`edit ${edit.id}: its sampled ids decode to another text than its draft`)
  }
  return draft
}

/** The prompt of an edit for what reads texts alone. @throws EmendError for a conversation */
export function promptText(edit: Edit): string {
  if (typeof edit.prompt !== 'string') {
    throw new EmendError(`edit ${edit.id}: the prompt is a conversation, expected text`)
  }
  return edit.prompt
}
