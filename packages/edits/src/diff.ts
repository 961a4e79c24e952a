/** Draft + final → edit operations: words first, then characters inside replaced words where that is smaller. */
import { align, type Block, differingMiddle } from './align.js'
import { type EditOp, editedCharacters, editOp, type Range } from './operations.js'
import { characters, isSeparator, words } from './words.js'

/** A match of characters this short between two changes of a word is chance, and is merged into them. */
const SHORTEST_INNER_MATCH = 3
/** Characters inside a replaced word count as kept only if at least half do: `of` → `our` is another word, `colour` → `color` not. */
const LARGEST_SHARE = 0.5
/** Replaced stretches longer than this (UTF-16 units, both sides) are not searched by character, only trimmed. */
const LONGEST_BY_CHARACTER = 4096
const MAX_CHARACTER_EDITS = 128

/**
 * The minimal edit that turns a draft into its final text, as `method.md` §3 defines it.
 *
 * Words are aligned first. Inside replaced words characters are aligned, and taken where that edits at most half as many UTF-16
 * units as the words: a letter or two that unlike words share would otherwise be called kept. Matches of only white space or punctuation between two changes are merged into them. An insertion or deletion that could
 * stand on either side of a white space takes the leading one, since that is where most tokenizers cut.
 *
 * Replaying the operations on the draft gives the final text (see `replay`). They are ordered and disjoint, do not touch one
 * another, cut no surrogate pair, and edit no more units than replacing all words between the common first and last ones would.
 * Time grows about linearly: see `align` for what is done beyond its limits.
 *
 * @param draft well-formed text (`toWellFormed()` first)
 * @param final well-formed text
 * @throws TypeError on what is no text, RangeError on a lone surrogate, which no tokenizer can represent
 */
export function diffTexts(draft: string, final: string): EditOp[] {
  for (const [side, text] of Object.entries({ draft, final })) {
    if (typeof text !== 'string')
      throw new TypeError(`${side}: expected text, got ${text === null ? null : typeof text}`)
    if (!text.isWellFormed()) throw new RangeError(`${side}: holds a lone surrogate; call toWellFormed() on it first`)
  }
  if (draft === final) return []
  const [d0, d1, f0, f1] = aroundChanges(draft, final)
  const ops: EditOp[] = []
  for (const [a0, a1, b0, b1] of changedBlocks(words(draft.slice(d0, d1)), words(final.slice(f0, f1))))
    ops.push(...refine(draft, final, [d0 + a0, d0 + a1, f0 + b0, f0 + b1]))
  return leadWithSpace(draft, final, mergeAcrossSeparators(draft, ops))
}

/**
 * Where two texts differ, widened to the next place on either side that parts words whatever stands beyond it: outside of it the
 * words are the same. Most edits change a small part of a text, and the rest need not be split.
 */
function aroundChanges(draft: string, final: string): Block {
  const [start, d1, , f1] = differingMiddle(
    [0, draft.length, 0, final.length],
    (i, j) => draft.charCodeAt(i) === final.charCodeAt(j),
  )
  let d0 = start - 1
  while (d0 > 0 && !partsWords(draft, d0)) d0--
  let after = 1
  while (d1 + after < draft.length && !partsWords(draft, d1 + after)) after++
  const cut = Math.max(0, d0)
  return [cut, Math.min(draft.length, d1 + after), cut, Math.min(final.length, f1 + after)]
}

/** Whether a space stands before this place and a letter or digit of ASCII at it. */
function partsWords(text: string, at: number): boolean {
  if (text.charCodeAt(at - 1) !== 0x20) return false
  const code = text.charCodeAt(at)
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || (code >= 0x30 && code <= 0x39)
}

/** Aligns two lists of pieces and gives the differing blocks in UTF-16 units of the joined pieces. */
function changedBlocks(a: readonly string[], b: readonly string[], maxEdits?: number): Block[] {
  const numbers = new Map<string, number>()
  const numbered = (pieces: readonly string[]) =>
    pieces.map(piece => {
      let number = numbers.get(piece)
      if (number === undefined) numbers.set(piece, (number = numbers.size))
      return number
    })
  const startsA = starts(a)
  const startsB = starts(b)
  return align(numbered(a), numbered(b), maxEdits === undefined ? {} : { maxEdits }).map(([a0, a1, b0, b1]) => [
    startsA[a0]!,
    startsA[a1]!,
    startsB[b0]!,
    startsB[b1]!,
  ])
}

function starts(pieces: readonly string[]): number[] {
  const offsets = [0]
  let at = 0
  for (const piece of pieces) offsets.push((at += piece.length))
  return offsets
}

/** The operations inside one differing block: by character if at least half of what it holds stays, else the whole block. */
function refine(draft: string, final: string, block: Block): EditOp[] {
  const [a0, a1, b0, b1] = block
  const whole = editOp([a0, a1], [b0, b1])!
  if (whole.op !== 'replace') return [whole]
  const inner =
    a1 - a0 + (b1 - b0) <= LONGEST_BY_CHARACTER ? byCharacter(draft, final, block) : trimmed(draft, final, block)
  return editedCharacters(inner) <= LARGEST_SHARE * editedCharacters([whole]) ? inner : [whole]
}

function byCharacter(draft: string, final: string, [a0, a1, b0, b1]: Block): EditOp[] {
  const ops: EditOp[] = []
  const [a, b] = [characters(draft.slice(a0, a1)), characters(final.slice(b0, b1))]
  for (const [c0, c1, d0, d1] of changedBlocks(a, b, MAX_CHARACTER_EDITS)) {
    const op = editOp([a0 + c0, a0 + c1], [b0 + d0, b0 + d1])!
    const last = ops.at(-1)
    if (last && op.draft[0] - last.draft[1] < SHORTEST_INNER_MATCH) ops[ops.length - 1] = joined(last, op)
    else ops.push(op)
  }
  return ops
}

/** One operation from the first differing character of a block to the last. */
function trimmed(draft: string, final: string, block: Block): EditOp[] {
  let [a0, a1, b0, b1] = differingMiddle(block, (i, j) => draft.charCodeAt(i) === final.charCodeAt(j))
  if (cutsPair(draft, a0) || cutsPair(final, b0)) {
    a0--
    b0--
  }
  if (cutsPair(draft, a1) || cutsPair(final, b1)) {
    a1++
    b1++
  }
  const op = editOp([a0, a1], [b0, b1])
  return op ? [op] : []
}

/** Whether a cut at this place would part the two halves of a surrogate pair. */
function cutsPair(text: string, at: number): boolean {
  return at > 0 && (text.charCodeAt(at) & 0xfc00) === 0xdc00 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800
}

function joined(first: EditOp, second: EditOp): EditOp {
  const range = (side: 'draft' | 'final'): Range => [first[side][0], second[side][1]]
  return editOp(range('draft'), range('final'))!
}

function mergeAcrossSeparators(draft: string, ops: readonly EditOp[]): EditOp[] {
  const merged: EditOp[] = []
  for (const op of ops) {
    const last = merged.at(-1)
    if (last && isSeparator(draft.slice(last.draft[1], op.draft[0]))) merged[merged.length - 1] = joined(last, op)
    else merged.push(op)
  }
  return merged
}

/** Slides `I like |big |cats` to `I like| big| cats`: a word goes with the space before it. */
function leadWithSpace(draft: string, final: string, ops: readonly EditOp[]): EditOp[] {
  let previousEnd = 0
  return ops.map(op => {
    const floor = previousEnd
    previousEnd = op.draft[1]
    if (op.op === 'replace') return op
    const text = op.op === 'insert' ? final.slice(...op.final) : draft.slice(...op.draft)
    const space = /(?<=\S)\s+$/.exec(text)?.[0]
    if (!space || /^\s/.test(text)) return op
    const by = space.length
    const [d0, d1] = op.draft
    const [f0, f1] = op.final
    if (d0 - by < floor || draft.slice(d0 - by, d0) !== space) return op
    // What stays between this operation and the one before must still be more than a separator.
    if (floor > 0 && isSeparator(draft.slice(floor, d0 - by))) return op
    return { op: op.op, draft: [d0 - by, d1 - by], final: [f0 - by, f1 - by] }
  })
}
