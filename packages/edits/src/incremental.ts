/** The difference between a draft and a text that is being typed: after a keystroke only its surroundings are compared again. */
import { diffTexts } from './diff.js'
import { type EditOp, keptSpans } from './operations.js'
import { isSeparator } from './words.js'

/** UTF-16 units of kept text between what changed and where the comparison is cut, so that words find their neighbours. */
const CONTEXT = 48

/**
 * Keeps the operations between a draft and a changing final text.
 *
 * `update` compares again only the stretch around what changed, cut at words that are kept on both sides, and takes the
 * operations outside it as they were. What it holds is always a valid edit script (`verifyOps`), and nearly always the one that
 * `diffTexts` gives; where words moved far it can be longer, until `settle`.
 */
export class IncrementalDiff {
  readonly draft: string
  #final: string
  #ops: readonly EditOp[]
  readonly #wellFormed: boolean

  /** @param draft well-formed text, as for `diffTexts` */
  constructor(draft: string, final = draft) {
    this.draft = draft
    this.#wellFormed = draft.isWellFormed()
    this.#final = final
    this.#ops = this.#compare(draft, final)
  }

  get final(): string {
    return this.#final
  }

  /** Ordered and disjoint; replayed on the draft they give the final text. */
  get ops(): readonly EditOp[] {
    return this.#ops
  }

  /**
   * Takes the text as it is now. Lone surrogates, which a half-typed character may leave for a moment, are compared as they are.
   *
   * Time: linear in the text with a tiny constant (where did it change?), plus that of `diffTexts` on the surroundings.
   */
  update(final: string): readonly EditOp[] {
    const before = this.#final
    if (final === before) return this.#ops
    const { start, end } = changedRange(before, final)
    const grown = final.length - before.length

    const spans = keptSpans(this.#ops, this.draft.length)
    const left = spans.findLast(span => cutBefore(before, span.final, Math.min(span.final + span.length, start)) >= 0)
    const right = spans.find(span => cutAfter(before, Math.max(span.final, end), span.final + span.length) >= 0)
    const f0 = left ? cutBefore(before, left.final, Math.min(left.final + left.length, start)) : 0
    const f1 = right ? cutAfter(before, Math.max(right.final, end), right.final + right.length) : before.length
    const d0 = left ? f0 - left.final + left.draft : 0
    const d1 = right ? f1 - right.final + right.draft : this.draft.length

    const inside = this.#compare(this.draft.slice(d0, d1), final.slice(f0, f1 + grown))
    this.#ops = [
      ...this.#ops.filter(op => op.final[1] <= f0 && op.draft[1] <= d0),
      ...inside.map(op => moved(op, d0, f0)),
      ...this.#ops.filter(op => op.final[0] >= f1 && op.draft[0] >= d1).map(op => moved(op, 0, grown)),
    ]
    this.#final = final
    return this.#ops
  }

  /** Compares the whole again, for a quiet moment: what `diffTexts` gives. */
  settle(): readonly EditOp[] {
    this.#ops = this.#compare(this.draft, this.#final)
    return this.#ops
  }

  #compare(draft: string, final: string): EditOp[] {
    // Replaced unit for unit, so that every range still fits the text as typed.
    return diffTexts(this.#wellFormed ? draft : draft.toWellFormed(), final.toWellFormed())
  }
}

function moved({ op, draft, final }: EditOp, byDraft: number, byFinal: number): EditOp {
  return { op, draft: [draft[0] + byDraft, draft[1] + byDraft], final: [final[0] + byFinal, final[1] + byFinal] }
}

/** The stretch `[start, end)` of a text outside of which another is the same. */
function changedRange(before: string, after: string): { start: number; end: number } {
  const shorter = Math.min(before.length, after.length)
  let start = 0
  while (start < shorter && before.charCodeAt(start) === after.charCodeAt(start)) start++
  let tail = 0
  while (tail < shorter - start && before.at(-1 - tail) === after.at(-1 - tail)) tail++
  return { start, end: before.length - tail }
}

// Before a word that follows white space, or a character of a script without spaces, words split the same whatever stands before.
const CUT =
  /(?<=\s)[\p{L}\p{N}]|[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Tibetan}]/gu

/** The last place to cut in the kept stretch `[from, to)`, with context after it and a kept word before it; −1 if none. */
function cutBefore(text: string, from: number, to: number): number {
  const last = to - CONTEXT
  for (let width = 64; last > from; width *= 4) {
    const start = Math.max(from, last - width)
    const at = [...cuts(text, start, last)].findLast(place => !isSeparator(text.slice(from, place)))
    if (at !== undefined) return at
    if (start === from) break
  }
  return -1
}

/** The first place to cut in the kept stretch `[from, to)`, with context before it and a kept word after it; −1 if none. */
function cutAfter(text: string, from: number, to: number): number {
  // The character at the cut is itself of a word.
  const { value } = cuts(text, from + CONTEXT, to).next()
  return value ?? -1
}

function* cuts(text: string, from: number, to: number): Generator<number, undefined> {
  const cut = new RegExp(CUT)
  for (cut.lastIndex = from; cut.lastIndex < to; ) {
    const at = cut.exec(text)?.index
    if (at === undefined || at >= to) return
    yield at
  }
}
