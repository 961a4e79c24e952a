/** The layers of a transformer: Linear, Embedding, LayerNorm, RMSNorm; names and layouts of the weights as in PyTorch. */

import type { Device, DType } from '../dtype.js'
import type { Tensor } from '../tensor.js'
import { torch } from '../torch.js'
import { Module, parameter } from './module.js'

/** Where and in which dtype a layer's weights are made. */
export interface LayerOptions {
  readonly device?: Device
  readonly dtype?: DType
}

const place = ({ device = 'cpu', dtype = 'float32' }: LayerOptions) => ({ device, dtype })

/** y = x Wᵀ + b, over the last dimension. Weights start as zeros: see `init`. */
export class Linear extends Module {
  /** [outputs, inputs] */
  weight: Tensor
  /** [outputs], or null without one */
  bias: Tensor | null

  constructor(inputs: number, outputs: number, options: LayerOptions & { readonly bias?: boolean } = {}) {
    super()
    this.weight = parameter(torch.zeros([outputs, inputs], place(options)))
    this.bias = (options.bias ?? true) ? parameter(torch.zeros([outputs], place(options))) : null
  }

  /** [..., inputs] → [..., outputs] */
  forward(x: Tensor): Tensor {
    return torch.linear(x, this.weight, this.bias)
  }
}

/** A row of the table for every id. Weights start as zeros: see `init`. */
export class Embedding extends Module {
  /** [count, width] */
  weight: Tensor

  constructor(count: number, width: number, options: LayerOptions = {}) {
    super()
    this.weight = parameter(torch.zeros([count, width], place(options)))
  }

  /** int64 or int32 ids [...] → [..., width]; an id outside the table throws */
  forward(ids: Tensor): Tensor {
    return torch.embedding(this.weight, ids)
  }
}

/** (x - mean) / √(variance + eps) · w + b, over the last dimension (Ba, Kiros and Hinton 2016, arXiv 1607.06450). */
export class LayerNorm extends Module {
  /** [width], starts as ones */
  weight: Tensor
  /** [width], starts as zeros; null without one */
  bias: Tensor | null
  readonly eps: number

  constructor(width: number, options: LayerOptions & { readonly eps?: number; readonly bias?: boolean } = {}) {
    super()
    this.weight = parameter(torch.ones([width], place(options)))
    this.bias = (options.bias ?? true) ? parameter(torch.zeros([width], place(options))) : null
    this.eps = options.eps ?? 1e-5
  }

  /** [..., width] → [..., width] */
  forward(x: Tensor): Tensor {
    return torch.layer_norm(x, this.weight.shape, this.weight, this.bias, this.eps)
  }
}

/** x / √(mean(x²) + eps) · w, over the last dimension (Zhang and Sennrich 2019, arXiv 1910.07467). */
export class RMSNorm extends Module {
  /** [width], starts as ones */
  weight: Tensor
  readonly eps: number

  constructor(width: number, options: LayerOptions & { readonly eps?: number } = {}) {
    super()
    this.weight = parameter(torch.ones([width], place(options)))
    this.eps = options.eps ?? 1e-6
  }

  /** [..., width] → [..., width] */
  forward(x: Tensor): Tensor {
    return torch.rms_norm(x, this.weight.shape, this.weight, this.eps)
  }
}
