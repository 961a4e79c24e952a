/** Replays edit operations: the draft and what was put in give the final text. */
import { checkOps, type EditOp } from './operations.js'

/** What each operation puts in, in order: the text of its final range (empty for a deletion). */
export function insertions(ops: readonly EditOp[], final: string): string[] {
  return ops.map(op => final.slice(op.final[0], op.final[1]))
}

/**
 * Replays operations on a draft.
 *
 * @param inserted what each operation puts in, as `insertions` gives it
 * @returns the final text
 * @throws RangeError where the operations are out of order or do not fit the draft
 */
export function replay(draft: string, ops: readonly EditOp[], inserted: readonly string[]): string {
  let final = ''
  let at = 0
  ops.forEach((op, i) => {
    const [start, end] = op.draft
    if (start < at || end < start || end > draft.length)
      throw new RangeError(
        `ops[${i}]: draft range [${start}, ${end}) must lie in order within [${at}, ${draft.length})`,
      )
    final += draft.slice(at, start) + (inserted[i] ?? '')
    at = end
  })
  return final + draft.slice(at)
}

/**
 * Checks that operations turn a draft into its final text.
 *
 * @throws RangeError naming the operation that does not fit, or the first place where the replayed text differs
 */
export function verifyOps(draft: string, final: string, ops: readonly EditOp[]): void {
  checkOps(ops, draft.length, final.length)
  const replayed = replay(draft, ops, insertions(ops, final))
  if (replayed === final) return
  let at = 0
  while (replayed[at] === final[at]) at++
  throw new RangeError(`ops: replayed on the draft they differ from the final text at character ${at}`)
}
