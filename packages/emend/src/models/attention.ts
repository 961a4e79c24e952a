/** Grouped-query causal self-attention (Ainslie et al. 2023, arXiv 2305.13245), whole or over a sliding window. */

import { nn, type Tensor, torch } from '@emend/torch'
import type { KeyValueCache } from './cache.js'
import type { DecoderConfig } from './config.js'
import { Norm } from './norm.js'
import type { Positions } from './positions.js'
import { Projection } from './projection.js'
import { type Rotation, rotate } from './rope.js'

/**
 * What one forward pass tells every layer. Activations are rows [B·L, D]: linear layers do not care where a text ends.
 *
 * Sliding layers narrow what a pass lets a token read by themselves. They take the distance of two columns for that of
 * two positions: the tokens of a row stand in neighbouring columns in order, the last of this pass in the last column.
 * Padding on the left satisfies that, and so does padding on the right where it is never read.
 */
export interface Pass {
  readonly batch: number
  readonly length: number
  readonly rotation: Positions
  /**
   * bool [B, 1, L, keys], true where a token may read. Without one the attention is causal over the L tokens, and a
   * single token reads every key.
   */
  readonly mask?: Tensor
  /** keys and values of earlier tokens; this pass adds its own */
  readonly cache?: KeyValueCache
}

/** What a pass tells a layer of one kind: the rotation is chosen, and the mask heeds the window. */
export interface LayerPass extends Omit<Pass, 'rotation'> {
  readonly rotation?: Rotation
  /** a single token reads so many of the last keys */
  readonly window?: number
}

/** The same pass for layers that read everything and for those that slide. */
export function layerPasses(pass: Pass, config: DecoderConfig): { whole: LayerPass; sliding: LayerPass } {
  const { rotation: positions, ...rest } = pass
  const { rotation } = positions
  const whole: LayerPass = { ...rest, ...(rotation && { rotation }) }
  const window = config.slidingWindow
  if (window === null) return { whole, sliding: whole }
  const local = positions.local ?? rotation
  const sliding: LayerPass = { ...rest, ...(local && { rotation: local }), window }
  const keys = pass.mask?.shape[3] ?? pass.length
  if (pass.length === 1 || keys <= window) return { whole, sliding }
  return { whole, sliding: { ...sliding, mask: windowMask(pass, keys, window) } }
}

/** bool [1, 1, L, keys] or [B, 1, L, keys]: column q reads column k when 0 ≤ q - k < window and the pass's mask allows it. */
function windowMask({ length, mask, rotation }: Pass, keys: number, window: number): Tensor {
  const { device } = mask ?? rotation.vectors ?? rotation.rotation!.cos
  const first = keys - length
  const band = torch
    .ones([length, keys], { dtype: 'bool', device })
    .tril(first)
    .triu(first - window + 1)
    .view([1, 1, length, keys])
  return mask ? mask.logical_and(band) : band
}

/** Self-attention; the weights are named as Hugging Face's. */
export class Attention extends nn.Module {
  readonly q_proj: Projection
  readonly k_proj: Projection
  readonly v_proj: Projection
  readonly o_proj: Projection
  /** norms of each head, [headDim] */
  readonly q_norm: Norm | undefined
  readonly k_norm: Norm | undefined

  constructor(
    readonly config: DecoderConfig,
    options: nn.LayerOptions,
  ) {
    super()
    const { hiddenSize, heads, kvHeads, headDim, attentionBias, qkNorm } = config
    const input = { ...options, bias: attentionBias !== 'none' }
    this.q_proj = new Projection(hiddenSize, heads * headDim, input)
    this.k_proj = new Projection(hiddenSize, kvHeads * headDim, input)
    this.v_proj = new Projection(hiddenSize, kvHeads * headDim, input)
    this.o_proj = new Projection(heads * headDim, hiddenSize, { ...options, bias: attentionBias === 'all' })
    this.q_norm = qkNorm ? new Norm(headDim, config, options) : undefined
    this.k_norm = qkNorm ? new Norm(headDim, config, options) : undefined
  }

  /**
   * What each token's heads read, before the output projection.
   * @param x [B·L, D]
   * @param norm of x, which the projections read
   * @returns [B·L, heads · headDim]
   */
  read(x: Tensor, norm: Norm, pass: LayerPass, layer: number): Tensor {
    const { heads, kvHeads, headDim } = this.config
    const { batch, length, rotation, cache } = pass
    const [q, k, v] = norm.project(norm.prepare(x), [this.q_proj, this.k_proj, this.v_proj]) as [Tensor, Tensor, Tensor]
    const normed = (x: Tensor, heads: number, norm?: Norm): Tensor => {
      const split = x.view([batch, length, heads, headDim])
      return norm ? norm.forward(split) : split
    }
    if (length === 1 && cache?.attend) {
      const flat = (x: Tensor, heads: number, norm?: Norm) =>
        norm ? normed(x, heads, norm).view([batch, heads * headDim]) : x
      return cache.attend(layer, {
        q: flat(q, heads, this.q_norm),
        k: flat(k, kvHeads, this.k_norm),
        v,
        rotation: rotation ?? null,
        ...(pass.window !== undefined && { window: pass.window }),
        scale: this.config.attentionScale,
        softCap: this.config.attentionSoftCap,
      })
    }
    const place = (x: Tensor, heads: number, norm?: Norm): Tensor => {
      const split = normed(x, heads, norm)
      return (rotation ? rotate(split, rotation) : split).transpose(1, 2)
    }
    const queries = place(q, heads, this.q_norm)
    let keys = place(k, kvHeads, this.k_norm)
    let values = v.view([batch, length, kvHeads, headDim]).transpose(1, 2)
    if (cache) [keys, values] = cache.append(layer, keys, values)
    let { mask } = pass
    if (pass.window !== undefined && length === 1 && keys.shape[2]! > pass.window) {
      const from = keys.shape[2]! - pass.window
      const last = (x: Tensor, dimension: number) => x.narrow(dimension, from, pass.window!)
      keys = last(keys, 2)
      values = last(values, 2)
      mask &&= last(mask, 3)
    }
    return this.#attend(queries, keys, values, mask)
      .transpose(1, 2)
      .reshape([batch * length, heads * headDim])
  }

  /** queries [B, heads, L, headDim], keys and values [B, kvHeads, K, headDim] → [B, heads, L, headDim] */
  #attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | undefined): Tensor {
    const { heads, kvHeads, attentionScale, attentionSoftCap } = this.config
    const [batch, , length, headDim] = queries.shape as [number, number, number, number]
    const causal = mask === undefined && length > 1
    if (attentionSoftCap !== null) return this.#softCapped(queries, keys, values, mask, causal, attentionSoftCap)
    // The heads of a single token that share keys are as good as tokens: so no copy of the keys is made for each.
    const grouped = length === 1 ? queries.view([batch, kvHeads, heads / kvHeads, headDim]) : queries
    return torch
      .scaled_dot_product_attention(grouped, keys, values, {
        attn_mask: mask ?? null,
        is_causal: causal,
        enable_gqa: length > 1 && heads !== kvHeads,
        ...(attentionScale === null ? {} : { scale: attentionScale }),
      })
      .view([batch, heads, length, headDim])
  }

  /** softmax(cap · tanh(q·k / cap)) v, which no fused kernel computes (Gemma 2, arXiv 2408.00118). */
  #softCapped(q: Tensor, keys: Tensor, values: Tensor, mask: Tensor | undefined, causal: boolean, cap: number): Tensor {
    const { heads, kvHeads, headDim, attentionScale } = this.config
    const [batch, , length] = q.shape as [number, number, number]
    const columns = keys.shape[2]!
    // The heads that share keys stand below each other, so that no copy of the keys is made for each.
    const grouped = q.reshape([batch, kvHeads, (heads / kvHeads) * length, headDim])
    const scores = grouped.matmul(keys.transpose(2, 3)).mul((attentionScale ?? headDim ** -0.5) / cap)
    const capped = scores.tanh().mul(cap).view([batch, heads, length, columns])
    const allowed = causal ? torch.ones([length, columns], { dtype: 'bool', device: q.device }).tril() : mask
    const masked = allowed ? capped.masked_fill(allowed.logical_not(), -Infinity) : capped
    return masked
      .softmax(-1, { dtype: q.dtype === 'float64' ? 'float64' : 'float32' })
      .to(q.dtype)
      .view([batch, kvHeads, (heads / kvHeads) * length, columns])
      .matmul(values)
      .view([batch, heads, length, headDim])
  }
}
