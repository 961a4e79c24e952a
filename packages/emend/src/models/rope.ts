/** Rotary position embedding (Su et al. 2021, arXiv 2104.09864), in Llama's rotate-half layout. */

import { type Device, type DType, keep, nn, noGrad, scope, type Tensor, tensor, torch } from '@emend/torch'
import { EmendError } from '../errors.js'

/**
 * How a context longer than the one trained on is reached by turning more slowly.
 * - `linear`: every frequency divided by the factor (Chen et al. 2023, arXiv 2306.15595).
 * - `dynamic`: changes nothing within the context that the config names, and nothing longer is read here.
 * - `llama3`: low frequencies divided, high ones kept, those between interpolated (Llama 3.1).
 * - `yarn`: the same by number of turns, and queries and keys scaled by `magnitude` (Peng et al. 2023, arXiv 2309.00071).
 */
export type RopeScaling =
  | { readonly type: 'linear'; readonly factor: number }
  | { readonly type: 'dynamic'; readonly factor: number }
  | {
      readonly type: 'llama3'
      readonly factor: number
      readonly lowFrequencyFactor: number
      readonly highFrequencyFactor: number
      /** the context trained on */
      readonly originalPositions: number
    }
  | {
      readonly type: 'yarn'
      readonly factor: number
      readonly magnitude: number
      readonly betaFast: number
      readonly betaSlow: number
      /** the bounds of the ramp are rounded outwards */
      readonly truncate: boolean
      /** the context trained on */
      readonly originalPositions: number
    }

/** The angle a position adds to each pair of a head, [headDim / 2], in radians. */
export function frequencies(headDim: number, theta: number, scaling: RopeScaling | null = null): Float64Array {
  const half = headDim / 2
  const base = Float64Array.from({ length: half }, (_, i) => theta ** (-i / half))
  if (scaling === null || scaling.type === 'dynamic') return base
  const { factor } = scaling
  if (scaling.type === 'linear') return base.map(f => f / factor)
  if (scaling.type === 'llama3') {
    const { lowFrequencyFactor: low, highFrequencyFactor: high, originalPositions } = scaling
    return base.map(f => {
      const turns = (originalPositions * f) / (2 * Math.PI)
      if (turns < low) return f / factor
      if (turns > high) return f
      const kept = (turns - low) / (high - low)
      return ((1 - kept) * f) / factor + kept * f
    })
  }
  // The pair that turns so many times within the original context.
  const pair = (turns: number) =>
    (headDim * Math.log(scaling.originalPositions / (turns * 2 * Math.PI))) / (2 * Math.log(theta))
  const round = (x: number, outwards: (x: number) => number) => (scaling.truncate ? outwards(x) : x)
  const first = Math.max(round(pair(scaling.betaFast), Math.floor), 0)
  const last = Math.min(round(pair(scaling.betaSlow), Math.ceil), headDim - 1)
  return base.map((f, i) => {
    const slowed = Math.min(Math.max((i - first) / (first === last ? 0.001 : last - first), 0), 1)
    return (slowed * f) / factor + (1 - slowed) * f
  })
}

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
  readonly #frequencies: Float64Array
  readonly #magnitude: number

  constructor(
    readonly headDim: number,
    readonly theta: number,
    readonly maxPositions: number,
    options: { readonly device?: Device; readonly scaling?: RopeScaling | null } = {},
  ) {
    super()
    const { device = 'cpu', scaling = null } = options
    this.#frequencies = frequencies(headDim, theta, scaling)
    this.#magnitude = scaling?.type === 'yarn' ? scaling.magnitude : 1
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
    checkContext(length, this.maxPositions)
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
    for (const [i, frequency] of this.#frequencies.entries()) {
      for (let position = 0; position < positions; position++) {
        const at = position * this.headDim + i
        const angle = position * frequency
        cos[at] = cos[at + half] = this.#magnitude * Math.cos(angle)
        sin[at + half] = this.#magnitude * Math.sin(angle)
        sin[at] = -sin[at + half]!
      }
    }
    const place = (table: Float32Array) =>
      keep(noGrad(() => scope(() => tensor(table, { shape: [positions, this.headDim], device }))))
    return [place(cos), place(sin)]
  }
}

/** @throws EmendError when a sequence is longer than the context */
export function checkContext(length: number, maxPositions: number): void {
  if (length > maxPositions) {
    throw new EmendError(`a sequence of ${length} tokens does not fit the context of ${maxPositions} positions`)
  }
}

/** Rotates queries or keys x [B, L, heads, headDim]. */
export function rotate(x: Tensor, { cos, sin }: Rotation): Tensor {
  return torch.addcmul(x.mul(cos), x.roll([x.shape[3]! / 2], [3]), sin)
}
