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

/** What is labelled. */
export interface PairOfTexts {
  readonly draft: string
  readonly final: string
  /** Default: the difference. */
  readonly ops?: readonly EditOp[] | undefined
}

/**
 * Labels pairs as they come, in order, a batch at a time. While one is labelled, the next is being encoded.
 *
 * @param pairs texts; lone surrogates become U+FFFD, which keeps every range where it was
 */
export async function* labelPairs(
  pairs: AsyncIterable<PairOfTexts> | Iterable<PairOfTexts>,
  tokenizer: Tokenizer,
): AsyncGenerator<LabelledEdit> {
  let labelling: { batch: readonly PairOfTexts[]; encoding: Promise<TokenizedText[]> } | undefined
  for await (const batch of batches(pairs)) {
    const encoding = tokenizer.encodeBatch(batch.flatMap(({ draft, final }) => [draft, final]))
    // What it fails with is thrown when its turn comes.
    encoding.catch(() => {})
    if (labelling) yield* labelBatch(labelling.batch, await labelling.encoding)
    labelling = { batch, encoding }
  }
  if (labelling) yield* labelBatch(labelling.batch, await labelling.encoding)
}

async function* batches(pairs: AsyncIterable<PairOfTexts> | Iterable<PairOfTexts>): AsyncGenerator<PairOfTexts[]> {
  let batch: PairOfTexts[] = []
  let characters = 0
  for await (const pair of pairs) {
    batch.push(pair)
    characters += pair.draft.length + pair.final.length
    if (batch.length < BATCH.pairs && characters < BATCH.characters) continue
    yield batch
    batch = []
    characters = 0
  }
  if (batch.length > 0) yield batch
}

/** @param tokenized draft, final, draft, final, … */
function* labelBatch(batch: readonly PairOfTexts[], tokenized: readonly TokenizedText[]): Generator<LabelledEdit> {
  for (const [i, { ops }] of batch.entries()) {
    const [draft, final] = [tokenized[2 * i]!, tokenized[2 * i + 1]!]
    const edits = ops ?? diffTexts(draft.text, final.text)
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
