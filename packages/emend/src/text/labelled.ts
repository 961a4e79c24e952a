/** Draft/final pairs → token labels as plain JSON, for anyone's trainer. */
import { diffTexts, type EditOp, labelChanges, type TokenizedText } from '@emend/edits'
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
const BATCH = { pairs: 64, characters: 1 << 20 }

/** What is labelled. */
export interface PairOfTexts {
  readonly draft: string
  readonly final: string
  /** Default: the difference. */
  readonly ops?: readonly EditOp[] | undefined
}

/** A labelled edit before it is written out token by token. */
export interface TokenizedEdit {
  readonly edits: readonly EditOp[]
  readonly editRatio: number
  readonly draft: TokenizedSide
  readonly final: TokenizedSide
}

/** A text with its tokens. */
export interface TokenizedSide extends TokenizedText {
  /** [N] 1 where the edit touches the token. */
  readonly changed: Uint8Array
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
  for await (const batch of labelBatches(pairs, tokenizer))
    for (const { edits, editRatio, draft, final } of batch)
      yield {
        edits,
        edit_ratio: editRatio,
        draft: { tokens: labelled(draft) },
        final: { tokens: labelled(final) },
      }
}

/** As {@link labelPairs}, batch by batch. */
export async function* labelBatches(
  pairs: AsyncIterable<PairOfTexts> | Iterable<PairOfTexts>,
  tokenizer: Tokenizer,
): AsyncGenerator<TokenizedEdit[]> {
  let labelling: { batch: readonly PairOfTexts[]; encoding: Promise<TokenizedText[]> } | undefined
  for await (const batch of batches(pairs)) {
    const encoding = tokenizer.encodeBatch(batch.flatMap(({ draft, final }) => [draft, final]))
    // What it fails with is thrown when its turn comes.
    encoding.catch(() => {})
    if (labelling) yield labelBatch(labelling.batch, await labelling.encoding)
    labelling = { batch, encoding }
  }
  if (labelling) yield labelBatch(labelling.batch, await labelling.encoding)
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
function labelBatch(batch: readonly PairOfTexts[], tokenized: readonly TokenizedText[]): TokenizedEdit[] {
  return batch.map(({ ops }, i) => {
    const [draft, final] = [tokenized[2 * i]!, tokenized[2 * i + 1]!]
    const edits = ops ?? diffTexts(draft.text, final.text)
    const changed = labelChanges(edits, draft, final)
    return {
      edits,
      editRatio: changed.editRatio,
      draft: { ...draft, changed: changed.draft },
      final: { ...final, changed: changed.final },
    }
  })
}

function labelled({ ids, cover, changed }: TokenizedSide): LabelledToken[] {
  return cover.map(([start, end], i) => ({ id: ids[i]!, start, end, changed: changed[i] === 1 }))
}
