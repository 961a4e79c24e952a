/** The vocabulary of an edit: character ranges and the operations between a draft and its final text. */

/** Half-open range of UTF-16 units, `[start, end)`. */
export type Range = readonly [start: number, end: number]

/** One operation. An insertion's draft range and a deletion's final range are empty and mark the place. */
export interface EditOp {
  readonly op: 'insert' | 'delete' | 'replace'
  readonly draft: Range
  readonly final: Range
}

/** A prompt: plain text, or the turns of a chat. */
export type Prompt = string | readonly { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }[]

/** A stretch of text standing unchanged on both sides: `final = draft + shift`, `length` UTF-16 units long. */
export interface KeptSpan {
  readonly draft: number
  readonly final: number
  readonly length: number
}

/** An operation from its two ranges; undefined where both are empty. */
export function editOp(draft: Range, final: Range): EditOp | undefined {
  const deletes = draft[1] > draft[0]
  const inserts = final[1] > final[0]
  if (!deletes && !inserts) return undefined
  return { op: deletes ? (inserts ? 'replace' : 'delete') : 'insert', draft, final }
}

/** UTF-16 units that the operations touch, both sides together: what a minimal edit keeps small. */
export function editedCharacters(ops: readonly EditOp[]): number {
  let total = 0
  for (const { draft, final } of ops) total += draft[1] - draft[0] + (final[1] - final[0])
  return total
}

/**
 * The spans between operations, in order, empty ones left out.
 *
 * @param ops ordered, disjoint operations
 * @param draftLength UTF-16 units of the draft
 */
export function keptSpans(ops: readonly EditOp[], draftLength: number): KeptSpan[] {
  const spans: KeptSpan[] = []
  let draft = 0
  let final = 0
  for (const op of ops) {
    if (op.draft[0] > draft) spans.push({ draft, final, length: op.draft[0] - draft })
    draft = op.draft[1]
    final = op.final[1]
  }
  if (draftLength > draft) spans.push({ draft, final, length: draftLength - draft })
  return spans
}

/**
 * Checks that operations are ordered and disjoint, that they lie within both texts, and that what stands between them is as
 * long on one side as on the other.
 *
 * @throws RangeError naming the operation, the range and what was expected
 */
export function checkOps(ops: readonly EditOp[], draftLength: number, finalLength: number): void {
  let draft = 0
  let final = 0
  ops.forEach((op, i) => {
    const wrong = (what: string) =>
      new RangeError(`ops[${i}] (${op.op}, draft [${op.draft}), final [${op.final})): ${what}`)
    if (!(op.draft[0] >= draft && op.draft[1] >= op.draft[0] && op.draft[1] <= draftLength))
      throw wrong(`its draft range must lie in order within [${draft}, ${draftLength})`)
    if (!(op.final[0] >= final && op.final[1] >= op.final[0] && op.final[1] <= finalLength))
      throw wrong(`its final range must lie in order within [${final}, ${finalLength})`)
    if (op.draft[0] - draft !== op.final[0] - final)
      throw wrong(
        `the text kept before it is ${op.draft[0] - draft} units long in the draft but ${op.final[0] - final} in the final`,
      )
    const expected = editOp(op.draft, op.final)?.op
    if (expected !== op.op) throw wrong(`its ranges make it ${expected ?? 'empty'}, not ${op.op}`)
    draft = op.draft[1]
    final = op.final[1]
  })
  if (draftLength - draft !== finalLength - final)
    throw new RangeError(
      `ops: the text kept after the last is ${draftLength - draft} units long in the draft but ${finalLength - final} in the final`,
    )
}
