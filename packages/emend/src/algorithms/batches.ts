/** Which sample stands in which step: a pure function of seed and epoch, so that a data cursor is just the step number. */
import { hash32 } from '@emend/torch'

/** The numbers 0..n−1 in an order that depends on the key alone (Fisher–Yates on counter-based random numbers). */
export function permutation(n: number, ...key: number[]): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i)
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor((hash32(...key, i) / 2 ** 32) * (i + 1))
    const swapped = order[i] as number
    order[i] = order[j] as number
    order[j] = swapped
  }
  return order
}

/**
 * One epoch cut into batches of similar length, in random order: shuffled, sorted by length within windows of eight batches,
 * cut, and the batches shuffled. Less padding, nearly the same randomness.
 */
export function bucketedBatches(lengths: ArrayLike<number>, batch: number, ...key: number[]): Int32Array[] {
  const order = permutation(lengths.length, ...key, 0)
  const window = batch * 8
  const batches: Int32Array[] = []
  for (let start = 0; start < order.length; start += window) {
    const sorted = order
      .slice(start, start + window)
      .sort((a, b) => (lengths[a] as number) - (lengths[b] as number) || a - b)
    for (let i = 0; i < sorted.length; i += batch) batches.push(sorted.slice(i, i + batch))
  }
  return Array.from(permutation(batches.length, ...key, 1), i => batches[i] as Int32Array)
}

/**
 * Cuts a batch, sorted by length, into micro-batches whose padded size stays within a budget.
 *
 * @param tokens the budget; a single longer sample stands alone
 */
export function microBatches(
  indices: ArrayLike<number>,
  lengthOf: (index: number) => number,
  tokens: number,
): number[][] {
  const sorted = Array.from(indices).sort((a, b) => lengthOf(a) - lengthOf(b) || a - b)
  const parts: number[][] = []
  let part: number[] = []
  for (const index of sorted) {
    if (part.length > 0 && lengthOf(index) * (part.length + 1) > tokens) {
      parts.push(part)
      part = []
    }
    part.push(index)
  }
  if (part.length > 0) parts.push(part)
  return parts
}
