/** The feed-forward layer of a decoder, gated (Shazeer 2020, arXiv 2002.05202) or plain. */

import { nn, type Tensor, torch } from '@emend/torch'
import type { Activation, DecoderConfig } from './config.js'
import type { Norm } from './norm.js'
import { Projection } from './projection.js'

const ACTIVATIONS: Readonly<Record<Activation, (x: Tensor) => Tensor>> = {
  silu: x => torch.silu(x),
  gelu: x => torch.gelu(x),
  gelu_tanh: x => torch.gelu(x, { approximate: 'tanh' }),
  relu: x => torch.relu(x),
}

/** down(σ(gate x) ⊙ up x), or down(σ(up x)) without a gate. */
export class FeedForward extends nn.Module {
  /** absent from a plain layer */
  readonly gate_proj: Projection | undefined
  readonly up_proj: Projection
  readonly down_proj: Projection
  readonly #activation: (x: Tensor) => Tensor

  constructor({ hiddenSize, intermediateSize, gated, mlpBias, activation }: DecoderConfig, options: nn.LayerOptions) {
    super()
    const linear = { ...options, bias: mlpBias }
    this.gate_proj = gated ? new Projection(hiddenSize, intermediateSize, linear) : undefined
    this.up_proj = new Projection(hiddenSize, intermediateSize, linear)
    this.down_proj = new Projection(intermediateSize, hiddenSize, linear)
    this.#activation = ACTIVATIONS[activation]
  }

  /** Reads the norm of x [N, D] → [N, D], and `plus` [N, D] where it is given */
  forward(x: Tensor, norm: Norm, plus?: Tensor): Tensor {
    const prepared = norm.prepare(x)
    // Two products, not a joined one: the activation and the product after it then run over contiguous memory.
    const map = (projection: Projection) => norm.project(prepared, [projection])[0]!
    if (!this.gate_proj) return this.down_proj.forward(this.#activation(map(this.up_proj)), plus)
    return this.down_proj.forward(this.#activation(map(this.gate_proj)).mul(map(this.up_proj)), plus)
  }
}
