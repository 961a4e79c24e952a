/** The linear maps of a decoder, how an adapter changes one, and how several of them read one normalised input. */

import { nn, type Tensor, torch } from '@emend/torch'
import { PackedWeights } from './packed.js'

/** What an adapter adds to a linear map. */
export interface Addition {
  /** [N, in] → [N, out], in the dtype of x */
  forward(x: Tensor): Tensor
}

/** A linear map inside a decoder's layer, its weights named as Hugging Face's. */
export class Projection extends nn.Linear {
  #addition: Addition | null = null

  /** What the active adapter adds; null without one. An accessor: the addition is no part of this module's weights. */
  get addition(): Addition | null {
    return this.#addition
  }

  set addition(addition: Addition | null) {
    this.#addition = addition
  }

  /**
   * [N, in] → [N, out]
   * @param plus [N, out], added to the result: the residual stream
   */
  override forward(x: Tensor, plus?: Tensor): Tensor {
    const packed = PackedWeights.inUse
    if (packed && !this.#addition) return packed.linear(x, this, plus)
    const mapped = packed?.linear(x, this) ?? super.forward(x)
    const y = this.#addition ? mapped.add(this.#addition.forward(x)) : mapped
    return plus ? plus.add(y) : y
  }
}

/**
 * The linear maps of x ⊙ scale, one for each projection.
 *
 * With many rows (training) scale is multiplied into the matrices and they are joined: W (scale ⊙ x) = (W diag(scale)) x
 * costs a pass over the weights instead of three over the activations, and one large product is quicker than three.
 * With few rows (decoding) the weights are the larger part, and stay as they are; so do weights that are not trained,
 * of which autograd would otherwise keep a scaled copy a layer. Packed weights, where they are in use, come before all that.
 * @param x [N, D]
 * @param scale [D]
 * @param projections each D → out
 * @returns each [N, out]
 */
export function scaledLinear(x: Tensor, scale: Tensor, projections: readonly Projection[]): Tensor[] {
  const packed = PackedWeights.inUse
  if (packed && projections.every(({ addition }) => addition === null)) return packed.scaled(x, scale, projections)
  const outputs = projections.map(({ weight }) => weight.shape[0]!)
  const few = x.shape[0]! < outputs.reduce((sum, out) => sum + out, 0)
  if (few || projections.some(({ addition, weight }) => addition !== null || !weight.requiresGrad)) {
    const scaled = x.mul(scale)
    return projections.map(projection => projection.forward(scaled))
  }
  const joined = torch.cat(
    projections.map(({ weight }) => weight),
    0,
  )
  const all = torch.linear(x, joined.mul(scale)).split_with_sizes(outputs, -1)
  return projections.map(({ bias }, i) => (bias ? all[i]!.add(bias) : all[i]!))
}
