/** Where the tokens of a pass stand: rotations of queries and keys, or learned vectors added to the embeddings. */

import { type DType, nn, type Tensor } from '@emend/torch'
import type { DecoderConfig } from './config.js'
import { checkContext, RotaryTable, type Rotation } from './rope.js'

/** The positions of a pass, in the forms that the layers read; which are there follows from the config. */
export interface Positions {
  readonly rotation?: Rotation
  /** of the sliding layers, where their θ is another one */
  readonly local?: Rotation
  /** learned vectors, [L, D] or [B, L, D] */
  readonly vectors?: Tensor
}

/** The rotations or learned vectors of positions 0 .. maxPositions - 1. */
export class PositionTable extends nn.Module {
  readonly #config: DecoderConfig
  readonly global: RotaryTable | undefined
  readonly local: RotaryTable | undefined
  /** [maxPositions, D], named by the trunk that owns it */
  readonly #learned: nn.Embedding | undefined

  constructor(config: DecoderConfig, learned: nn.Embedding | undefined, options: nn.LayerOptions) {
    super()
    this.#config = config
    this.#learned = learned
    const { headDim, ropeTheta, localRopeTheta, ropeScaling: scaling, maxPositions } = config
    const { device = 'cpu' } = options
    if (learned) return
    this.global = new RotaryTable(headDim, ropeTheta, maxPositions, { device, scaling })
    if (localRopeTheta !== null) this.local = new RotaryTable(headDim, localRopeTheta, maxPositions, { device })
  }

  /**
   * Positions 0 .. length-1, the same for every row of a batch.
   * @throws EmendError when the sequence is longer than the context
   */
  range(length: number, dtype: DType): Positions {
    checkContext(length, this.#config.maxPositions)
    if (this.#learned) return { vectors: this.#learned.weight.narrow(0, 0, length) }
    return this.#rotations(table => table.range(length, dtype))
  }

  /**
   * Given positions.
   * @param positions int64 [B, L], all below `bound`
   * @param bound one more than the largest position (known to the caller; reading it back would cost a synchronisation)
   */
  at(positions: Tensor, bound: number, dtype: DType): Positions {
    checkContext(bound, this.#config.maxPositions)
    if (this.#learned) return { vectors: this.#learned.forward(positions) }
    return this.#rotations(table => table.at(positions, bound, dtype))
  }

  #rotations(of: (table: RotaryTable) => Rotation): Positions {
    const rotation = of(this.global!)
    return this.local ? { rotation, local: of(this.local) } : { rotation }
  }
}
