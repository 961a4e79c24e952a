/** A shortest edit script by Myers' greedy algorithm (An O(ND) difference algorithm and its variations, Algorithmica 1986). */
import type { Block } from './align.js'

const NONE = -1
/** Numbers a node: how far it leads, its diagonal, the node before it. */
const NODE = 3

// Most searches are short and there are very many of them: what one has allocated serves the next.
let nodes = new Int32Array(1 << 12)
let last = new Int32Array(1 << 8)

/**
 * The edits of a shortest script between `a[a0, a1)` and `b[b0, b1)`, one item each, in order. Of several shortest scripts it
 * gives the one of the `diff` package, with which stored operations were made.
 *
 * Time: at worst edits × items; memory: edits².
 *
 * @param maxEdits most insertions and deletions to search for
 * @returns undefined where there must be more
 */
export function shortestEdit(
  a: readonly number[],
  b: readonly number[],
  [a0, a1, b0, b1]: Block,
  maxEdits: number,
): Block[] | undefined {
  const n = a1 - a0
  const m = b1 - b0
  const limit = Math.min(maxEdits, n + m)
  // Diagonal k holds the places (i, i − k); `last[zero + k]` is the node that leads furthest on it.
  const zero = limit + 1
  if (last.length < 2 * zero + 1) last = new Int32Array(4 * zero)
  last.fill(NONE, 0, 2 * zero + 1)
  let count = 0
  /** Adds the node that passes the equal items from (i, i − k) on, and says how far it leads. */
  const add = (start: number, k: number, before: number): number => {
    let i = start
    while (i < n && i - k < m && a[a0 + i] === b[b0 + i - k]) i++
    nodes[NODE * count] = i
    nodes[NODE * count + 1] = k
    nodes[NODE * count + 2] = before
    last[zero + k] = count++
    return i
  }
  if (add(0, 0, NONE) === n && n === m) return []

  // A diagonal that has met the end of `a` or `b` is the last on its side that a shortest script may take.
  let lowest = -limit
  let highest = limit
  for (let edits = 1; edits <= limit; edits++) {
    if (nodes.length < NODE * (count + edits + 1)) {
      const more = new Int32Array(2 * nodes.length + NODE * (edits + 1))
      more.set(nodes)
      nodes = more
    }
    for (let k = Math.max(lowest, -edits); k <= Math.min(highest, edits); k += 2) {
      const above = last[zero + k - 1]!
      const below = last[zero + k + 1]!
      last[zero + k - 1] = NONE
      const deleted = above === NONE ? n : nodes[NODE * above]!
      const inserted = below === NONE ? 0 : nodes[NODE * below]!
      const canDelete = deleted < n
      const canInsert = below !== NONE && inserted - k <= m
      if (!canDelete && !canInsert) {
        last[zero + k] = NONE
        continue
      }
      const insert = !canDelete || (canInsert && deleted < inserted)
      const i = insert ? add(inserted, k, below) : add(deleted + 1, k, above)
      const j = i - k
      if (i === n && j === m) return script(edits, count - 1, a0, b0)
      if (i === n) highest = Math.min(highest, k - 1)
      if (j === m) lowest = Math.max(lowest, k + 1)
    }
  }
  return undefined
}

/** The edits that lead to a node. */
function script(edits: number, end: number, a0: number, b0: number): Block[] {
  const blocks = new Array<Block>(edits)
  for (let node = end, at = edits - 1; at >= 0; at--) {
    const before = nodes[NODE * node + 2]!
    const i = a0 + nodes[NODE * before]!
    const j = b0 + nodes[NODE * before]! - nodes[NODE * before + 1]!
    blocks[at] = nodes[NODE * node + 1]! > nodes[NODE * before + 1]! ? [i, i + 1, j, j] : [i, i, j, j + 1]
    node = before
  }
  return blocks
}
