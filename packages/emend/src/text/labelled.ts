/** Draft/final pairs → token labels as plain JSON, for anyone's trainer. */
import { diffTexts, type EditOp, labelTokens, type SideLabels, type TokenizedText } from '@emend/edits'
import type { Tokenizer } from './tokenizer.js'

/** A token of one side: its id, the UTF-16 range of every character it holds a byte of, and whether the edit touches it. */
export interface LabelledToken {
  readonly id: number
  readonly start: number
  readonly end: number
  readonly changed: boolean
}

/** One labelled edit: what `emend label` prints a line of. */
export interface LabelledEdit {
  readonly edits: readonly EditOp[]
  /** Changed tokens / all tokens, both sides. */
  readonly edit_ratio: number
  readonly draft: { readonly tokens: readonly LabelledToken[] }
  readonly final: { readonly tokens: readonly LabelledToken[] }
}

/** Pairs encoded in one call: enough to keep the tokenizer's threads busy, few enough to stream. */
const BATCH = { pairs: 256, characters: 1 << 20 }

/**
 * Labels pairs as they come, in order, a batch at a time.
 *
 * @param pairs texts; lone surrogates become U+FFFD, which keeps every range where it was
 */
export async function* labelPairs(
  pairs: AsyncIterable<{ draft: string; final: string }> | Iterable<{ draft: string; final: string }>,
  tokenizer: Tokenizer,
): AsyncGenerator<LabelledEdit> {
  let texts: string[] = []
  let characters = 0
  for await (const { draft, final } of pairs) {
    texts.push(draft, final)
    characters += draft.length + final.length
    if (texts.length < 2 * BATCH.pairs && characters < BATCH.characters) continue
    yield* labelBatch(texts, tokenizer)
    texts = []
    characters = 0
  }
  yield* labelBatch(texts, tokenizer)
}

/** @param texts draft, final, draft, final, … */
async function* labelBatch(texts: readonly string[], tokenizer: Tokenizer): AsyncGenerator<LabelledEdit> {
  const tokenized = await tokenizer.encodeBatch(texts)
  for (let i = 0; i < tokenized.length; i += 2) {
    const [draft, final] = [tokenized[i]!, tokenized[i + 1]!]
    const edits = diffTexts(draft.text, final.text)
    const labels = labelTokens(edits, draft, final)
    yield {
      edits,
      edit_ratio: labels.editRatio,
      draft: { tokens: labelled(draft, labels.draft) },
      final: { tokens: labelled(final, labels.final) },
    }
  }
}

function labelled({ ids, cover }: TokenizedText, { changed }: SideLabels): LabelledToken[] {
  return cover.map(([start, end], i) => ({ id: ids[i]!, start, end, changed: changed[i] === 1 }))
}
