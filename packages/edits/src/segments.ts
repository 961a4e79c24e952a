/** An edit as people read it: one running text of kept, deleted and inserted pieces (red lines). */
import type { EditOp } from './operations.js'

/** A piece of the running text. */
export interface Segment {
  readonly text: string
  readonly kind: 'kept' | 'deleted' | 'inserted'
}

/** Red lines. Kept and deleted pieces joined give the draft; kept and inserted ones give the final text. */
export function segments(draft: string, final: string, ops: readonly EditOp[]): Segment[] {
  const pieces: Segment[] = []
  const add = (text: string, kind: Segment['kind']) => {
    if (text) pieces.push({ text, kind })
  }
  let at = 0
  for (const op of ops) {
    add(draft.slice(at, op.draft[0]), 'kept')
    add(draft.slice(op.draft[0], op.draft[1]), 'deleted')
    add(final.slice(op.final[0], op.final[1]), 'inserted')
    at = op.draft[1]
  }
  add(draft.slice(at), 'kept')
  return pieces
}
