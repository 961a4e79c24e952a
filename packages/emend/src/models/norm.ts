/** Root-mean-square normalisation, split so that its weight can be multiplied into the matrices that follow. */

import { type Tensor, torch } from '@emend/torch'

/** x / √(mean(x²) + eps) over the last dimension: RMSNorm without its weight (arXiv 1910.07467), at least in float32. */
export function unitRms(x: Tensor, eps: number): Tensor {
  if (x.dtype !== 'float32' && x.dtype !== 'float64') return unitRms(x.to('float32'), eps).to(x.dtype)
  return x.mul(x.square().mean([-1], true).add(eps).rsqrt())
}

/**
 * The linear maps of x ⊙ scale, one for each weight.
 *
 * With many rows (training) scale is multiplied into the matrices and they are joined: W (scale ⊙ x) = (W diag(scale)) x
 * costs a pass over the weights instead of three over the activations, and one large product is quicker than three.
 * With few rows (decoding) the weights are the larger part, and stay as they are.
 * @param x [N, D]
 * @param scale [D]
 * @param weights each [out, D]
 * @returns each [N, out]
 */
export function scaledLinear(x: Tensor, scale: Tensor, weights: readonly Tensor[]): Tensor[] {
  const outputs = weights.map(weight => weight.shape[0]!)
  if (x.shape[0]! < outputs.reduce((sum, out) => sum + out, 0)) {
    const scaled = x.mul(scale)
    return weights.map(weight => torch.linear(scaled, weight))
  }
  return torch.linear(x, torch.cat([...weights], 0).mul(scale)).split_with_sizes(outputs, -1)
}
