/** Root-mean-square normalisation without its weight, which is multiplied into the matrices that follow. */

import type { Tensor } from '@emend/torch'

/** x / √(mean(x²) + eps) over the last dimension: RMSNorm without its weight (arXiv 1910.07467), at least in float32. */
export function unitRms(x: Tensor, eps: number): Tensor {
  if (x.dtype !== 'float32' && x.dtype !== 'float64') return unitRms(x.to('float32'), eps).to(x.dtype)
  return x.mul(x.square().mean([-1], true).add(eps).rsqrt())
}
