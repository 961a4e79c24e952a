/** Rotary position embedding (Su et al. 2021, arXiv 2104.09864), in Llama's rotate-half layout. */

import { type Device, type DType, keep, nn, noGrad, scope, type Tensor, tensor, torch } from '@emend/torch'
import { EmendError } from '../errors.js'

/** Cosines and sines that broadcast over [B, L, heads, headDim]: [L, 1, headDim], or [B, L, 1, headDim] per row. */
export interface Rotation {
  readonly cos: Tensor
  /** negative in the first half, so that a rotation is x · cos + (x with its halves swapped) · sin */
  readonly sin: Tensor
}

/**
 * The table of rotations of positions 0, 1, …; made in float32 from float64 arithmetic, and only as far as it is used
 * (131,072 positions would be 64 MB).
 */
export class RotaryTable extends nn.Module {
  /** [positions, headDim] */
  cos: Tensor
  /** [positions, headDim], negative in the first half */
  sin: Tensor

  constructor(
    readonly headDim: number,
    readonly theta: number,
    readonly maxPositions: number,
    device: Device = 'cpu',
  ) {
    super()
    const [cos, sin] = this.#make(Math.min(maxPositions, 256), device)
    this.cos = cos
    this.sin = sin
  }

  /**
   * The rotation of positions 0 .. length-1, shared by every row of a batch.
   * @throws EmendError when the sequence is longer than the context
   */
  range(length: number, dtype: DType): Rotation {
    this.#grow(length)
    const part = (table: Tensor) => table.narrow(0, 0, length).unsqueeze(1).to(dtype)
    return { cos: part(this.cos), sin: part(this.sin) }
  }

  /**
   * The rotation of given positions.
   * @param positions int64 [B, L], all below `bound`
   * @param bound one more than the largest position (known to the caller; reading it back would cost a synchronisation)
   */
  at(positions: Tensor, bound: number, dtype: DType): Rotation {
    this.#grow(bound)
    const [batch, length] = positions.shape as [number, number]
    const part = (table: Tensor) =>
      table
        .index_select(0, positions.reshape([-1]))
        .view([batch, length, 1, this.headDim])
        .to(dtype)
    return { cos: part(this.cos), sin: part(this.sin) }
  }

  #grow(length: number): void {
    if (length > this.maxPositions) {
      throw new EmendError(`a sequence of ${length} tokens does not fit the context of ${this.maxPositions} positions`)
    }
    const have = this.cos.shape[0]!
    if (length <= have) return
    const [cos, sin] = this.#make(Math.min(this.maxPositions, Math.max(length, 2 * have)), this.cos.device)
    this.cos.dispose()
    this.sin.dispose()
    this.cos = cos
    this.sin = sin
  }

  #make(positions: number, device: Device): [Tensor, Tensor] {
    const half = this.headDim / 2
    const cos = new Float32Array(positions * this.headDim)
    const sin = new Float32Array(positions * this.headDim)
    for (let i = 0; i < half; i++) {
      const frequency = this.theta ** (-i / half)
      for (let position = 0; position < positions; position++) {
        const at = position * this.headDim + i
        const angle = position * frequency
        cos[at] = cos[at + half] = Math.cos(angle)
        sin[at + half] = Math.sin(angle)
        sin[at] = -sin[at + half]!
      }
    }
    const place = (table: Float32Array) =>
      keep(noGrad(() => scope(() => tensor(table, { shape: [positions, this.headDim], device }))))
    return [place(cos), place(sin)]
  }
}

/** Rotates queries or keys x [B, L, heads, headDim]. */
export function rotate(x: Tensor, { cos, sin }: Rotation): Tensor {
  return torch.addcmul(x.mul(cos), x.roll([x.shape[3]! / 2], [3]), sin)
}
