/** Keys and values of the tokens read so far, in buffers made once and written in place. */

import { type Device, type DType, keep, type Tensor, torch } from '@emend/torch'
import type { DecoderConfig } from './config.js'

/** One pair of buffers [B, kvHeads, capacity, headDim] a layer. Used under no-grad only; they outlive scopes, `dispose` frees them. */
export class KeyValueCache {
  /** columns filled; the owner advances it after every pass */
  length = 0

  private constructor(
    private keys: Tensor[],
    private values: Tensor[],
  ) {}

  /** Empty buffers for `capacity` tokens a row. */
  static allocate(config: DecoderConfig, batch: number, capacity: number, options: { device: Device; dtype: DType }) {
    const buffer = () => keep(torch.zeros([batch, config.kvHeads, capacity, config.headDim], options))
    const layers = Array.from({ length: config.layers })
    return new KeyValueCache(layers.map(buffer), layers.map(buffer))
  }

  /** Writes k and v [B, kvHeads, L, headDim] behind the filled columns; gives all of them back, [B, kvHeads, length + L, headDim]. */
  append(layer: number, k: Tensor, v: Tensor): [Tensor, Tensor] {
    const added = k.shape[2]!
    const write = (buffer: Tensor, x: Tensor) => {
      buffer.narrow(2, this.length, added).copy_(x)
      return buffer.narrow(2, 0, this.length + added)
    }
    return [write(this.keys[layer]!, k), write(this.values[layer]!, v)]
  }

  /** Keeps only the given rows (int64 [n]), freeing the others' memory. */
  select(rows: Tensor): void {
    const selected = (buffer: Tensor) => {
      const kept = keep(buffer.index_select(0, rows))
      buffer.dispose()
      return kept
    }
    this.keys = this.keys.map(selected)
    this.values = this.values.map(selected)
  }

  dispose(): void {
    for (const buffer of [...this.keys, ...this.values]) buffer.dispose()
  }
}
