/** Batches of about equal length, for passes over many sequences that need no gradient. */

import { type Device, noGrad, scope } from '@emend/torch'
import { pack, type Sequences } from './sequences.js'

/**
 * Groups items into batches of at most `batchTokens` padded tokens (an item longer than that stands alone), neighbours
 * in length together.
 * @returns the items' numbers, batch by batch, shortest first
 */
export function lengthBatches(lengths: ArrayLike<number>, batchTokens: number): number[][] {
  const order = Array.from({ length: lengths.length }, (_, i) => i).sort((a, b) => lengths[a]! - lengths[b]! || a - b)
  const batches: number[][] = []
  let batch: number[] = []
  for (const i of order) {
    if (batch.length > 0 && (batch.length + 1) * lengths[i]! > batchTokens) {
      batches.push(batch)
      batch = []
    }
    batch.push(i)
  }
  if (batch.length > 0) batches.push(batch)
  return batches
}

/**
 * Calls `fn` under no-grad on packed batches of neighbours in length, and gives its results back in the order of the
 * arguments. `fn` returns one plain result a row (numbers or typed arrays); tensors it makes are freed.
 */
export function mapInBatches<R>(
  prompts: readonly Int32Array[],
  responses: readonly Int32Array[],
  batchTokens: number,
  fn: (sequences: Sequences, rows: readonly number[]) => readonly R[],
  device: Device = 'cpu',
): R[] {
  const results: R[] = new Array(prompts.length)
  const lengths = prompts.map((prompt, i) => prompt.length + responses[i]!.length)
  for (const rows of lengthBatches(lengths, batchTokens)) {
    const packed = (all: readonly Int32Array[]) => rows.map(i => all[i]!)
    const values = scope(() => noGrad(() => fn(pack(packed(prompts), packed(responses), device), rows)))
    if (values.length !== rows.length) {
      throw new Error(`mapInBatches: got ${values.length} results for a batch of ${rows.length} rows`)
    }
    for (const [k, i] of rows.entries()) results[i] = values[k]!
  }
  return results
}
