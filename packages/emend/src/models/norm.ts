/** The norms of a decoder, split so that a weight can be multiplied into the matrices that read the normalised input. */

import { nn, type Tensor, tensor, torch } from '@emend/torch'
import type { DecoderConfig } from './config.js'
import { type Projection, scaledLinear } from './projection.js'

/** x / √(mean(x²) + eps) over the last dimension: RMSNorm without its weight (arXiv 1910.07467), at least in float32. */
function unitRms(x: Tensor, eps: number): Tensor {
  if (x.dtype !== 'float32' && x.dtype !== 'float64') return unitRms(x.to('float32'), eps).to(x.dtype)
  // √(Σx²) is one quick operator, with a slow gradient.
  if (!x.requiresGrad) {
    const length = torch.linalg_vector_norm(x, 2, [-1], true)
    const offset = tensor([eps], { dtype: x.dtype, device: x.device })
    return x.mul(torch.addcmul(offset, length, length, { value: 1 / x.shape.at(-1)! }).rsqrt_())
  }
  return x.mul(x.square().mean([-1], true).add(eps).rsqrt())
}

/** Root-mean-square or layer norm, as the config says; starts as the identity on what is normalised. */
export class Norm extends nn.Module {
  /** [width]; the factor is `offset` more */
  weight: Tensor
  /** [width], of a layer norm only */
  bias: Tensor | null
  readonly #kind: 'rms' | 'layer'
  readonly #eps: number
  readonly #offset: 0 | 1

  constructor(
    width: number,
    { norm, normEps, normOffset }: Pick<DecoderConfig, 'norm' | 'normEps' | 'normOffset'>,
    options: nn.LayerOptions,
  ) {
    super()
    const place = { device: options.device ?? 'cpu', dtype: options.dtype ?? 'float32' }
    this.weight = nn.parameter(normOffset === 1 ? torch.zeros([width], place) : torch.ones([width], place))
    this.bias = norm === 'layer' ? nn.parameter(torch.zeros([width], place)) : null
    this.#kind = norm
    this.#eps = normEps
    this.#offset = normOffset
  }

  /** [..., width] → [..., width] */
  forward(x: Tensor): Tensor {
    if (this.#kind === 'layer') return torch.layer_norm(x, this.weight.shape, this.weight, this.bias, this.#eps)
    if (this.#offset === 0) return unitRms(x, this.#eps).mul(this.weight)
    // Gemma multiplies before it rounds to the dtype of x: 1 + w has more digits than w.
    const wide = x.dtype === 'float64' ? x : x.to('float32')
    return unitRms(wide, this.#eps).mul(this.weight.to(wide.dtype).add(this.#offset)).to(x.dtype)
  }

  /** The part of the norm that comes before the projections: hand the result to `project`, several times if need be. */
  prepare(x: Tensor): Tensor {
    return this.#folds ? unitRms(x, this.#eps) : this.forward(x)
  }

  /** The linear maps of the norm of x, given `prepare(x)` [N, width]: each [N, out]. */
  project(prepared: Tensor, projections: readonly Projection[]): Tensor[] {
    if (this.#folds) return scaledLinear(prepared, this.weight, projections)
    return projections.map(projection => projection.forward(prepared))
  }

  get #folds(): boolean {
    return this.#kind === 'rms' && this.#offset === 0
  }
}
