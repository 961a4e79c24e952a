/** Alignment of two sequences: Myers' greedy difference with bounded work, so that a megabyte stays near linear. */
import { shortestEdit } from './shortest-edit.js'

/** A stretch `[a0, a1)` of one sequence standing against `[b0, b1)` of the other. */
export type Block = readonly [a0: number, a1: number, b0: number, b1: number]

/** How much work an alignment may cost. */
export interface AlignLimits {
  /** Most insertions and deletions that Myers' algorithm may search for; its work grows with the square. */
  readonly maxEdits: number
  /** Most steps of Myers' algorithm (edits × items, edits²) over the whole; each part gets its share by length. */
  readonly maxSteps: number
}

const DEFAULT_LIMITS: AlignLimits = { maxEdits: 1024, maxSteps: 2e7 }
const SMALLEST_BUDGET = 64
const DEEPEST = 8
const LONGEST_RUN = 8

/** A place in one sequence and the equal place in the other. */
type Anchor = readonly [i: number, j: number]

/**
 * The blocks in which two sequences differ, in order; everything between them is equal.
 *
 * The common start and end are cut off first. Myers' algorithm (`shortestEdit`) is exact
 * up to `maxEdits`, or fewer where `maxSteps` binds. Beyond that the sequences are cut at runs of items that occur once on each
 * side (patience diff: the longest increasing chain of such anchors) and each part is aligned by itself; a part without anchors is
 * one block, replaced as a whole. The result is then correct, though perhaps not minimal.
 *
 * @returns disjoint, ordered blocks, never empty on both sides
 */
export function align(a: readonly number[], b: readonly number[], limits: Partial<AlignLimits> = {}): Block[] {
  const blocks: Block[] = []
  const { maxEdits, maxSteps } = { ...DEFAULT_LIMITS, ...limits }
  const stepsPerItem = maxSteps / Math.max(1, a.length + b.length)
  alignInto(blocks, a, b, [0, a.length, 0, b.length], { maxEdits, stepsPerItem }, 0)
  return blocks
}

function alignInto(
  blocks: Block[],
  a: readonly number[],
  b: readonly number[],
  whole: Block,
  limits: { readonly maxEdits: number; readonly stepsPerItem: number },
  depth: number,
): void {
  const middle = differingMiddle(whole, (i, j) => a[i] === b[j])
  let [a0, , b0] = middle
  const [, a1, , b1] = middle
  if (a0 === a1 && b0 === b1) return
  if (a0 === a1 || b0 === b1) return void push(blocks, [a0, a1, b0, b1])

  const size = a1 - a0 + (b1 - b0)
  const affordable = Math.floor(Math.min(limits.stepsPerItem, Math.sqrt(limits.stepsPerItem * size)))
  const maxEditLength = Math.min(limits.maxEdits, Math.max(SMALLEST_BUDGET, affordable))
  const shortest = shortestEdit(a, b, [a0, a1, b0, b1], maxEditLength)
  if (shortest) {
    for (const block of shortest) push(blocks, block)
    return
  }

  const anchors = depth < DEEPEST ? findAnchors(a.slice(a0, a1), b.slice(b0, b1)) : []
  if (anchors.length === 0) return void push(blocks, [a0, a1, b0, b1])
  const [startA, startB] = [a0, b0]
  for (const [i, j] of anchors) {
    alignInto(blocks, a, b, [a0, startA + i, b0, startB + j], limits, depth + 1)
    a0 = startA + i + 1
    b0 = startB + j + 1
  }
  alignInto(blocks, a, b, [a0, a1, b0, b1], limits, depth + 1)
}

/** What is left of a block when its common start and end are cut off. */
export function differingMiddle(block: Block, equal: (i: number, j: number) => boolean): Block {
  let [a0, a1, b0, b1] = block
  while (a0 < a1 && b0 < b1 && equal(a0, b0)) {
    a0++
    b0++
  }
  while (a0 < a1 && b0 < b1 && equal(a1 - 1, b1 - 1)) {
    a1--
    b1--
  }
  return [a0, a1, b0, b1]
}

/** Appends a block, joined to the last one where they touch. */
function push(blocks: Block[], block: Block): void {
  const last = blocks.at(-1)
  if (last && last[1] === block[0] && last[3] === block[2]) {
    blocks[blocks.length - 1] = [last[0], block[1], last[2], block[3]]
  } else blocks.push(block)
}

/** Equal places in two sequences: starts of runs of eight items that are unique on both sides, or else single unique items. */
function findAnchors(a: readonly number[], b: readonly number[]): Anchor[] {
  // Two runs that share a hash by chance are told apart by their items.
  const anchors = uniqueAnchors(hashedRuns(a), hashedRuns(b)).filter(([i, j]) => a[i] === b[j])
  return anchors.length > 0 ? anchors : uniqueAnchors(a, b)
}

/** [N − 7] a hash of each item and the seven after it. */
function hashedRuns(items: readonly number[]): Int32Array {
  let runs = Int32Array.from(items)
  for (let span = 1; span < LONGEST_RUN; span *= 2) {
    const joined = new Int32Array(Math.max(0, runs.length - span))
    for (let i = 0; i < joined.length; i++) {
      const mixed = Math.imul(runs[i]!, 0x9e3779b1) + Math.imul(runs[i + span]!, 0x85ebca6b)
      // 30 bits: a number that V8 keeps without a box.
      joined[i] = (mixed ^ (mixed >>> 15)) & 0x3fffffff
    }
    runs = joined
  }
  return runs
}

/** Pairs of positions whose item occurs once on each side, thinned to the longest chain that increases on both. */
function uniqueAnchors(a: ArrayLike<number>, b: ArrayLike<number>): Anchor[] {
  // In the order of `a`, since a map keeps the order in which its keys came.
  const inA = uniquePlaces(a)
  const inB = uniquePlaces(b)
  const pairs: Anchor[] = []
  for (const [item, i] of inA) {
    const j = inB.get(item)
    if (i >= 0 && j !== undefined && j >= 0) pairs.push([i, j])
  }
  return longestIncreasing(pairs)
}

/** Where each item stands that occurs once; −1 for one that occurs more often. */
function uniquePlaces(items: ArrayLike<number>): Map<number, number> {
  const places = new Map<number, number>()
  for (let i = 0; i < items.length; i++) places.set(items[i]!, places.has(items[i]!) ? -1 : i)
  return places
}

/** The longest subsequence of pairs with increasing second member (patience sorting, n log n). */
function longestIncreasing(pairs: readonly Anchor[]): Anchor[] {
  const tails: number[] = []
  const previous = new Int32Array(pairs.length).fill(-1)
  pairs.forEach(([, j], k) => {
    let low = 0
    let high = tails.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (pairs[tails[middle]!]![1] < j) low = middle + 1
      else high = middle
    }
    if (low > 0) previous[k] = tails[low - 1]!
    tails[low] = k
  })
  const chain: Anchor[] = []
  for (let k = tails.at(-1) ?? -1; k >= 0; k = previous[k]!) chain.push(pairs[k]!)
  return chain.reverse()
}
