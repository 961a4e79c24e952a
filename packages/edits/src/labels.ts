/** Edit operations → labels on the tokens of any tokenizer, on both sides. */
import { checkOps, type EditOp, keptSpans, type Range } from './operations.js'

/** A text cut into tokens. Made once, asynchronously, by a tokenizer; everything after is synchronous. */
export interface TokenizedText {
  /** Well-formed. */
  readonly text: string
  /** [N] */
  readonly ids: Int32Array
  /** [N+1] token i owns `[tile[i], tile[i+1])`; the tiles joined give the text back. */
  readonly tile: Int32Array
  /** [N] every character of which the token holds a byte; neighbours overlap where a character is cut across tokens. */
  readonly cover: readonly Range[]
  /** Fingerprint. */
  readonly tokenizer: string
}

/** Labels of one side's tokens. */
export interface SideLabels {
  /** [N] 1 where the token's cover touches what was deleted, inserted or replaced on this side. */
  readonly changed: Uint8Array
  /** [N] the same token, kept, on the other side; -1 where there is none. */
  readonly pair: Int32Array
  /** [N+1] 1 where the other side has text that this side lacks just before token i (N: after the last). */
  readonly gap: Uint8Array
  /** Tokens before this one, and all that precedes them, are the same on both sides; equal on both sides. */
  readonly firstChange: number
}

/** Labels of both sides. */
export interface TokenLabels {
  readonly draft: SideLabels
  readonly final: SideLabels
  /** Changed tokens / all tokens, both sides together; 0 where there are none. */
  readonly editRatio: number
}

/**
 * Appends the token that ends a response. It holds no character, so it is always kept. Add it to both sides of a finished edit,
 * and never to a draft that was cut off: then the final's stands alone, unpaired.
 */
export function withEos(text: TokenizedText, eos: number): TokenizedText {
  const n = text.ids.length
  const end = text.text.length
  const ids = new Int32Array(n + 1)
  ids.set(text.ids)
  ids[n] = eos
  const tile = new Int32Array(n + 2)
  tile.set(text.tile)
  tile[n] = end
  tile[n + 1] = end
  return { ...text, ids, tile, cover: [...text.cover, [end, end]] }
}

/**
 * Labels the tokens of both sides of an edit (`method.md` §3).
 *
 * A token is *changed* if its cover shares a character with a changed range of its side; an insertion changes nothing in the
 * draft's own tokens, a deletion nothing in the final's, and both are recorded as a *gap* before the first token that starts
 * at or after the place. Kept tokens are *paired* where the same ids cover the same kept characters on both sides; tokens
 * without characters at the end of both texts (EOS) are paired by id. A kept token has no pair where the other side cuts its
 * characters differently, or where an insertion falls inside it.
 *
 * Time: linear in tokens and operations, up to a logarithm.
 *
 * @throws RangeError where the operations do not fit the texts
 */
export function labelTokens(ops: readonly EditOp[], draft: TokenizedText, final: TokenizedText): TokenLabels {
  const { draft: changedDraft, final: changedFinal, editRatio } = labelChanges(ops, draft, final)
  const [pairDraft, pairFinal] = pairTokens(ops, draft, final, changedDraft, changedFinal)
  const gapDraft = gaps(
    draft.cover,
    ops.filter(op => op.op === 'insert').map(op => op.draft[0]),
  )
  const gapFinal = gaps(
    final.cover,
    ops.filter(op => op.op === 'delete').map(op => op.final[0]),
  )
  return {
    draft: { changed: changedDraft, pair: pairDraft, gap: gapDraft, firstChange: firstChange(pairDraft) },
    final: { changed: changedFinal, pair: pairFinal, gap: gapFinal, firstChange: firstChange(pairFinal) },
    editRatio,
  }
}

/**
 * Which tokens of both sides an edit changes, as {@link labelTokens} says, and no more of it.
 *
 * @throws RangeError where the operations do not fit the texts
 */
export function labelChanges(
  ops: readonly EditOp[],
  draft: TokenizedText,
  final: TokenizedText,
): { draft: Uint8Array; final: Uint8Array; editRatio: number } {
  checkOps(ops, draft.text.length, final.text.length)
  const [a, b] = [changedTokens(draft.cover, ops, 'draft'), changedTokens(final.cover, ops, 'final')]
  const total = a.length + b.length
  return { draft: a, final: b, editRatio: total === 0 ? 0 : (count(a) + count(b)) / total }
}

/** [N] 1 where a token's cover shares a character with one of the operations' ranges on this side. */
function changedTokens(cover: readonly Range[], ops: readonly EditOp[], side: 'draft' | 'final'): Uint8Array {
  const changed = new Uint8Array(cover.length)
  let next = 0
  for (let i = 0; i < cover.length; i++) {
    const [start, end] = cover[i]!
    // Operations that lie before a token lie before those that follow it; empty ranges share nothing.
    while (next < ops.length && (ops[next]![side][1] <= start || ops[next]![side][0] === ops[next]![side][1])) next++
    if (next === ops.length) break
    if (ops[next]![side][0] < end) changed[i] = 1
  }
  return changed
}

/** [N+1] 1 before the first token that starts at or after each place. */
function gaps(cover: readonly Range[], places: readonly number[]): Uint8Array {
  const gap = new Uint8Array(cover.length + 1)
  for (const place of places) gap[firstIndex(cover.length, i => cover[i]![0] >= place)] = 1
  return gap
}

function pairTokens(
  ops: readonly EditOp[],
  draft: TokenizedText,
  final: TokenizedText,
  changedDraft: Uint8Array,
  changedFinal: Uint8Array,
): [Int32Array, Int32Array] {
  const pairDraft = new Int32Array(draft.ids.length).fill(-1)
  const pairFinal = new Int32Array(final.ids.length).fill(-1)
  const pair = (i: number, j: number) => {
    pairDraft[i] = j
    pairFinal[j] = i
  }
  const spans = keptSpans(ops, draft.text.length)
  let j = 0
  for (let i = 0, after = 0; i < draft.cover.length; i = after) {
    // Tokens that cut one character among them have the same cover: they pair together or not at all.
    after = sameCover(draft.cover, i)
    const [start, end] = draft.cover[i]!
    if (end === start || changedDraft[i]) continue
    const span = spans[firstIndex(spans.length, k => spans[k]!.draft + spans[k]!.length > start)]
    if (!span || start < span.draft || end > span.draft + span.length) continue
    const shift = span.final - span.draft
    while (j < final.cover.length && before(final.cover[j]!, start + shift, end + shift)) j++
    const found = final.cover[j]
    if (!found || found[0] !== start + shift || found[1] !== end + shift || changedFinal[j]) continue
    const n = after - i
    if (sameCover(final.cover, j) - j !== n) continue
    let same = true
    for (let k = 0; k < n; k++) same &&= draft.ids[i + k] === final.ids[j + k]
    if (same) for (let k = 0; k < n; k++) pair(i + k, j + k)
  }
  const a = trailingEmpty(draft)
  const b = trailingEmpty(final)
  for (let k = 0; a + k < draft.ids.length && b + k < final.ids.length; k++)
    if (draft.ids[a + k] === final.ids[b + k]) pair(a + k, b + k)
  return [pairDraft, pairFinal]
}

function before([start, end]: Range, otherStart: number, otherEnd: number): boolean {
  return start < otherStart || (start === otherStart && end < otherEnd)
}

/** The index after the run of tokens with the same cover as token i. */
function sameCover(cover: readonly Range[], i: number): number {
  const [start, end] = cover[i]!
  let after = i + 1
  while (after < cover.length && cover[after]![0] === start && cover[after]![1] === end) after++
  return after
}

/** The index of the first of the tokens at the end that hold no character. */
function trailingEmpty({ text, cover }: TokenizedText): number {
  let i = cover.length
  while (i > 0 && cover[i - 1]![0] === text.length && cover[i - 1]![1] === text.length) i--
  return i
}

/** As long as each token is paired with the one of the same number, ids and all that precedes are the same. */
function firstChange(pair: Int32Array): number {
  let i = 0
  while (i < pair.length && pair[i] === i) i++
  return i
}

/** The first k of n for which a monotone condition holds; n if none. */
function firstIndex(n: number, holds: (k: number) => boolean): number {
  let low = 0
  let high = n
  while (low < high) {
    const middle = (low + high) >> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}

function count(flags: Uint8Array): number {
  let total = 0
  for (const flag of flags) total += flag
  return total
}
