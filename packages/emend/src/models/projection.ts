/** The linear maps of a decoder, and how several of them read one normalised input. */

import { nn, type Tensor, torch } from '@emend/torch'

/** A linear map inside a decoder's layer, its weights named as Hugging Face's. */
export class Projection extends nn.Linear {}

/**
 * The linear maps of x ⊙ scale, one for each projection.
 *
 * With many rows (training) scale is multiplied into the matrices and they are joined: W (scale ⊙ x) = (W diag(scale)) x
 * costs a pass over the weights instead of three over the activations, and one large product is quicker than three.
 * With few rows (decoding) the weights are the larger part, and stay as they are.
 * @param x [N, D]
 * @param scale [D]
 * @param projections each D → out
 * @returns each [N, out]
 */
export function scaledLinear(x: Tensor, scale: Tensor, projections: readonly Projection[]): Tensor[] {
  const outputs = projections.map(({ weight }) => weight.shape[0]!)
  if (x.shape[0]! < outputs.reduce((sum, out) => sum + out, 0)) {
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
