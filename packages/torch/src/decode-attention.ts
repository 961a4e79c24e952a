/** Attention of one new token a row over a cache, by an operator of our own: the step that generation repeats. */

import type { Tensor } from './tensor.js'
import { torch } from './torch.js'

/** Of B rows, whose keys and values stand in float32 buffers on the CPU. */
export interface DecodeAttention {
  /** [B, heads · D], before the rotation */
  readonly q: Tensor
  /** [B, kvHeads · D], before the rotation */
  readonly k: Tensor
  /** [B, kvHeads · D] */
  readonly v: Tensor
  /** cosines and sines of each row's position, B · D numbers each; the sines negative in the first half */
  readonly rotation: { readonly cos: Tensor; readonly sin: Tensor } | null
  /**
   * [B or more rows, kvHeads, columns, D], the transpose of contiguous memory: `zeros([rows, kvHeads, D, columns]).transpose(2, 3)`,
   * columns a multiple of 32. The token's rotated keys are written in column `end`.
   */
  readonly keys: Tensor
  /** [B or more rows, kvHeads, columns, D], contiguous; the token's values are written in column `end` */
  readonly values: Tensor
  /** the column in which each row begins */
  readonly starts: readonly number[]
  readonly end: number
  /** how many of its last columns a row reads; default all */
  readonly window?: number
  /** default 1/√D */
  readonly scale?: number | null
  /** scores become cap · tanh(score / cap); default none */
  readonly softCap?: number | null
}

/**
 * softmax(scale · q kᵀ) v of each row's new token over what the row has, the token itself included → [B, heads · D].
 * Heads share keys in groups of heads / kvHeads. Several times as quick as `torch.scaled_dot_product_attention` on one
 * query a row, which copies the keys for its matrix products. Has no gradient.
 * @throws Error naming the tensor whose shape, dtype or device does not fit, or the column that is outside; with inputs that require a gradient
 */
export function decodeAttention(of: DecodeAttention): Tensor {
  const { q, k, v, rotation, keys, values, starts, end, window = Number.MAX_SAFE_INTEGER, scale, softCap } = of
  const usual = (keys.shape[3] ?? 1) ** -0.5
  const { cos, sin } = rotation ?? { cos: null, sin: null }
  const rest = [keys, values, starts, end, window, scale ?? usual, softCap ?? 0]
  return torch.unsafe.call('emend::decode_attention', '', q, k, v, cos, sin, ...rest) as Tensor
}
