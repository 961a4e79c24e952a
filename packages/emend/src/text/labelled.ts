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
 * Labels pairs as they come, in order, a batch at a time. While one is labelled, the next is being encoded.
 *
 * @param pairs texts; lone surrogates become U+FFFD, which keeps every range where it was
 */
export async function* labelPairs(
  pairs: AsyncIterable<{ draft: string; final: string }> | Iterable<{ draft: string; final: string }>,
  tokenizer: Tokenizer,
): AsyncGenerator<LabelledEdit> {
  let encoding: Promise<TokenizedText[]> | undefined
  for await (const texts of batches(pairs)) {
    const next = tokenizer.encodeBatch(texts)
    // What it fails with is thrown when its turn comes.
    next.catch(() => {})
    if (encoding) yield* labelBatch(await encoding)
    encoding = next
  }
  if (encoding) yield* labelBatch(await encoding)
}

/** Texts of some pairs at a time: draft, final, draft, final, … */
async function* batches(
  pairs: AsyncIterable<{ draft: string; final: string }> | Iterable<{ draft: string; final: string }>,
): AsyncGenerator<string[]> {
  let texts: string[] = []
  let characters = 0
  for await (const { draft, final } of pairs) {
    texts.push(draft, final)
    characters += draft.length + final.length
    if (texts.length < 2 * BATCH.pairs && characters < BATCH.characters) continue
    yield texts
    texts = []
    characters = 0
  }
  if (texts.length > 0) yield texts
}

/** @param tokenized draft, final, draft, final, … */
function* labelBatch(tokenized: readonly TokenizedText[]): Generator<LabelledEdit> {
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
