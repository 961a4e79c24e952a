/** Grouped-query causal self-attention with rotary positions (Ainslie et al. 2023, arXiv 2305.13245). */

import { nn, type Tensor, torch } from '@emend/torch'
import type { KeyValueCache } from './cache.js'
import type { DecoderConfig } from './config.js'
import { Projection, scaledLinear } from './projection.js'
import { type Rotation, rotate } from './rope.js'

/** What one forward pass tells every layer. Activations are rows [B·L, D]: linear layers do not care where a text ends. */
export interface Pass {
  readonly batch: number
  readonly length: number
  readonly rotation: Rotation
  /** bool [B, 1, L, keys], true where a token may read; without one the attention is causal over the L tokens */
  readonly mask?: Tensor
  /** keys and values of earlier tokens; this pass adds its own */
  readonly cache?: KeyValueCache
}

/** Self-attention; the weights are named as Hugging Face's. */
export class Attention extends nn.Module {
  readonly q_proj: Projection
  readonly k_proj: Projection
  readonly v_proj: Projection
  readonly o_proj: Projection

  constructor(
    readonly config: DecoderConfig,
    options: nn.LayerOptions,
  ) {
    super()
    const { hiddenSize, heads, kvHeads, headDim } = config
    this.q_proj = new Projection(hiddenSize, heads * headDim, { ...options, bias: false })
    this.k_proj = new Projection(hiddenSize, kvHeads * headDim, { ...options, bias: false })
    this.v_proj = new Projection(hiddenSize, kvHeads * headDim, { ...options, bias: false })
    this.o_proj = new Projection(heads * headDim, hiddenSize, { ...options, bias: false })
  }

  /**
   * What each token's heads read, before the output projection.
   * @param x [B·L, D] with a root mean square of 1
   * @param scale [D], the weight of the norm
   * @returns [B·L, heads · headDim]
   */
  read(x: Tensor, scale: Tensor, pass: Pass, layer: number): Tensor {
    const { heads, kvHeads, headDim } = this.config
    const { batch, length, rotation, mask, cache } = pass
    const [q, k, v] = scaledLinear(x, scale, [this.q_proj, this.k_proj, this.v_proj]) as [Tensor, Tensor, Tensor]
    const queries = rotate(q.view([batch, length, heads, headDim]), rotation).transpose(1, 2)
    let keys = rotate(k.view([batch, length, kvHeads, headDim]), rotation).transpose(1, 2)
    let values = v.view([batch, length, kvHeads, headDim]).transpose(1, 2)
    if (cache) [keys, values] = cache.append(layer, keys, values)
    return torch
      .scaled_dot_product_attention(queries, keys, values, {
        attn_mask: mask ?? null,
        is_causal: mask === undefined,
        enable_gqa: heads !== kvHeads,
      })
      .transpose(1, 2)
      .reshape([batch * length, heads * headDim])
  }
}
