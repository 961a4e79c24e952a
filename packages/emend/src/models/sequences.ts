/** Prompts and responses as one padded batch, and where each response token stands in it. */

import { type Device, type Tensor, tensor, torch } from '@emend/torch'
import { EmendError } from '../errors.js'

/**
 * A batch of prompt + response, right-padded. Indices follow the method's convention: counting from 0, response token
 * a_t of row i stands at position P_i + t; what decides it (its log-probability, the value V(s_t)) is read one before,
 * its reward at its own.
 */
export interface Sequences {
  /** int64 [B, L], prompt, response, padding */
  readonly ids: Tensor
  /** int64 [B, T], P_i + t; beyond the response some valid position from 1 */
  readonly index: Tensor
  /** bool [B, T], real response tokens */
  readonly mask: Tensor
  /** response lengths [B] */
  readonly lengths: Int32Array
  /** prompt lengths [B] */
  readonly prompts: Int32Array
  /** response tokens of the whole batch, N = Σ lengths */
  readonly tokens: number
  /** int64 [N], the response tokens themselves, row after row */
  readonly targets: Tensor
  /** int64 [N], flat position b·L + P_i + t of each; and of the position before it */
  readonly at: Tensor
  readonly before: Tensor
  /** int64 [N], flat place b·T + t of each in a [B, T] tensor */
  readonly slots: Tensor
}

/**
 * Packs prompts and responses (token ids) into a batch on a device.
 * @throws EmendError naming the row whose prompt is empty: nothing then decides the first token, so begin it with BOS
 */
export function pack(
  prompts: readonly Int32Array[],
  responses: readonly Int32Array[],
  device: Device = 'cpu',
): Sequences {
  const rows = prompts.length
  if (rows === 0 || responses.length !== rows) {
    throw new EmendError(
      `pack: got ${rows} prompts and ${responses.length} responses, expected as many of each, at least one`,
    )
  }
  let width = 2
  let T = 1
  let tokens = 0
  for (let i = 0; i < rows; i++) {
    if (prompts[i]!.length === 0)
      throw new EmendError(`pack: prompt ${i} is empty: begin it with at least one token (BOS)`)
    width = Math.max(width, prompts[i]!.length + responses[i]!.length)
    T = Math.max(T, responses[i]!.length)
    tokens += responses[i]!.length
  }
  const ids = new Int32Array(rows * width)
  const index = new Int32Array(rows * T).fill(1)
  const mask = new Uint8Array(rows * T)
  const targets = new Int32Array(tokens)
  const at = new Int32Array(tokens)
  const before = new Int32Array(tokens)
  const slots = new Int32Array(tokens)
  let n = 0
  for (let i = 0; i < rows; i++) {
    const prompt = prompts[i]!
    const response = responses[i]!
    ids.set(prompt, i * width)
    ids.set(response, i * width + prompt.length)
    mask.fill(1, i * T, i * T + response.length)
    for (let t = 0; t < response.length; t++, n++) {
      index[i * T + t] = prompt.length + t
      targets[n] = response[t]!
      at[n] = i * width + prompt.length + t
      before[n] = at[n]! - 1
      slots[n] = i * T + t
    }
  }
  const place = (data: Int32Array, shape: readonly number[]) => tensor(data, { shape, dtype: 'int64', device })
  return {
    ids: place(ids, [rows, width]),
    index: place(index, [rows, T]),
    mask: tensor(mask, { shape: [rows, T], dtype: 'bool', device }),
    lengths: Int32Array.from(responses, response => response.length),
    prompts: Int32Array.from(prompts, prompt => prompt.length),
    tokens,
    targets: place(targets, [tokens]),
    at: place(at, [tokens]),
    before: place(before, [tokens]),
    slots: place(slots, [tokens]),
  }
}

/** x [B, L] or [B, L, D] read at index [B, T] → [B, T] or [B, T, D]. */
export function gatherAt(x: Tensor, index: Tensor): Tensor {
  if (x.ndim === 2) return x.gather(1, index)
  const [batch, T] = index.shape as [number, number]
  return x.gather(1, index.unsqueeze(-1).expand([batch, T, x.shape[2]!]))
}

/** Values of the real response tokens [N] → [B, T], zero elsewhere. */
export function spread(values: Tensor, sequences: Pick<Sequences, 'mask' | 'slots'>): Tensor {
  const { shape } = sequences.mask
  const [batch, T] = shape as [number, number]
  if (values.numel === batch * T) return values.view(shape)
  return torch
    .zeros([batch * T], { dtype: values.dtype, device: values.device })
    .scatter(0, sequences.slots, values)
    .view(shape)
}

/** A [B, T] tensor as one Float32Array a row, cut to the response's length. */
export function responseRows(x: Tensor, lengths: Int32Array): Float32Array[] {
  const T = x.shape[1]!
  const data = x.floats()
  return Array.from(lengths, (length, i) => data.slice(i * T, i * T + length))
}
