/** A causal decoder of Llama's shape: RMSNorm, rotary positions, grouped-query attention, SwiGLU; Hugging Face's names. */

import { type Device, type DType, nn, type Tensor, torch } from '@emend/torch'
import { Attention, type Pass } from './attention.js'
import type { DecoderConfig } from './config.js'
import type { Adapter } from './lora.js'
import { unitRms } from './norm.js'
import { Projection, scaledLinear } from './projection.js'
import { RotaryTable } from './rope.js'

/** The gated feed-forward layer: down(silu(gate x) ⊙ up x) (Shazeer 2020, arXiv 2002.05202). */
class FeedForward extends nn.Module {
  readonly gate_proj: Projection
  readonly up_proj: Projection
  readonly down_proj: Projection

  constructor({ hiddenSize, intermediateSize }: DecoderConfig, options: nn.LayerOptions) {
    super()
    this.gate_proj = new Projection(hiddenSize, intermediateSize, { ...options, bias: false })
    this.up_proj = new Projection(hiddenSize, intermediateSize, { ...options, bias: false })
    this.down_proj = new Projection(intermediateSize, hiddenSize, { ...options, bias: false })
  }

  /** x [N, D] of root mean square 1, scale [D] → [N, D] */
  forward(x: Tensor, scale: Tensor): Tensor {
    // Two products, not a joined one: silu and the product after it then run over contiguous memory.
    const [gate] = scaledLinear(x, scale, [this.gate_proj]) as [Tensor]
    const [up] = scaledLinear(x, scale, [this.up_proj]) as [Tensor]
    return this.down_proj.forward(torch.silu(gate).mul(up))
  }
}

class DecoderLayer extends nn.Module {
  readonly self_attn: Attention
  readonly mlp: FeedForward
  readonly input_layernorm: nn.RMSNorm
  readonly post_attention_layernorm: nn.RMSNorm

  constructor(config: DecoderConfig, options: nn.LayerOptions) {
    super()
    this.self_attn = new Attention(config, options)
    this.mlp = new FeedForward(config, options)
    this.input_layernorm = new nn.RMSNorm(config.hiddenSize, { ...options, eps: config.normEps })
    this.post_attention_layernorm = new nn.RMSNorm(config.hiddenSize, { ...options, eps: config.normEps })
  }

  /** x [B·L, D] → [B·L, D], or [N, D] when only `rows` (int64 [N] into B·L) are wanted of this layer. */
  forward(x: Tensor, pass: Pass, layer: number, rows?: Tensor): Tensor {
    const { eps } = this.input_layernorm
    let read = this.self_attn.read(unitRms(x, eps), this.input_layernorm.weight, pass, layer)
    if (rows) {
      read = read.index_select(0, rows)
      x = x.index_select(0, rows)
    }
    const attended = x.add(this.self_attn.o_proj.forward(read))
    return attended.add(this.mlp.forward(unitRms(attended, eps), this.post_attention_layernorm.weight))
  }
}

/** Where a trunk's weights are, or whose it reads. */
export interface TrunkOptions extends nn.LayerOptions {
  /** another trunk whose weights this one reads: one copy in memory; otherwise new ones are made */
  readonly base?: Trunk | undefined
  /** what passes through this trunk, and no other, read in addition */
  readonly adapter?: Adapter | undefined
}

/** Embedding, layers and last norm: what a decoder and a scalar model share. */
export class Trunk extends nn.Module {
  readonly embed_tokens: nn.Embedding
  readonly layers: readonly DecoderLayer[]
  readonly norm: nn.RMSNorm
  readonly rotary: RotaryTable
  readonly adapter: Adapter | undefined

  constructor(
    readonly config: DecoderConfig,
    options: TrunkOptions = {},
  ) {
    super()
    const { base, adapter } = options
    this.embed_tokens = base?.embed_tokens ?? new nn.Embedding(config.vocabSize, config.hiddenSize, options)
    this.layers = base?.layers ?? Array.from({ length: config.layers }, () => new DecoderLayer(config, options))
    this.norm = base?.norm ?? new nn.RMSNorm(config.hiddenSize, { ...options, eps: config.normEps })
    this.rotary = base?.rotary ?? new RotaryTable(config.headDim, config.ropeTheta, config.maxPositions, options.device)
    this.adapter = adapter
  }

  get device(): Device {
    return this.embed_tokens.weight.device
  }

  get dtype(): DType {
    return this.embed_tokens.weight.dtype
  }

  /**
   * Hidden states after the last norm of whole right-padded sequences. Padding stands behind every real token, so causal
   * attention alone keeps it out, and every row has positions 0 .. L-1.
   * @param ids int64 [B, L]
   * @param rows int64 [N], flat positions b·L + j: only they pass the last layer's feed-forward and norm
   * @returns [B, L, D], or [N, D] with rows
   */
  forward(ids: Tensor, rows?: Tensor): Tensor {
    const [batch, length] = ids.shape as [number, number]
    const rotation = this.rotary.range(length, this.dtype)
    const x = this.run(ids, { batch, length, rotation }, rows)
    return rows ? x : x.view([batch, length, this.config.hiddenSize])
  }

  /** One pass as described by `pass`; ids [B, L] → [B·L, D] or [N, D]. */
  run(ids: Tensor, pass: Pass, rows?: Tensor): Tensor {
    return this.adapter ? this.adapter.active(() => this.#run(ids, pass, rows)) : this.#run(ids, pass, rows)
  }

  #run(ids: Tensor, pass: Pass, rows?: Tensor): Tensor {
    let x = this.embed_tokens.forward(ids.reshape([-1]))
    const last = this.layers.length - 1
    for (const [i, layer] of this.layers.entries()) x = layer.forward(x, pass, i, i === last ? rows : undefined)
    return unitRms(x, this.norm.eps).mul(this.norm.weight)
  }
}

/** A causal language model: trunk and vocabulary projection, LlamaForCausalLM's names in its state dict. */
export class Decoder extends nn.Module {
  readonly model: Trunk
  /** absent when the embeddings are tied */
  readonly lm_head: nn.Linear | undefined
  #vocabulary: number

  /** @param options.base a decoder whose weights this one reads: with an adapter it is another model in the same memory */
  constructor(
    readonly config: DecoderConfig,
    options: nn.LayerOptions & { readonly base?: Decoder; readonly adapter?: Adapter } = {},
  ) {
    super()
    const { base } = options
    this.model = new Trunk(config, { ...options, base: base?.model })
    this.lm_head = config.tied
      ? undefined
      : (base?.lm_head ?? new nn.Linear(config.hiddenSize, config.vocabSize, { ...options, bias: false }))
    this.#vocabulary = base?.vocabulary ?? config.vocabSize
  }

  get device(): Device {
    return this.model.device
  }

  get dtype(): DType {
    return this.model.dtype
  }

  /**
   * Ids the tokenizer knows, V' ≤ vocabSize (tables are often padded to a round number). Ids beyond it have no logits:
   * they are never sampled and take no probability.
   */
  get vocabulary(): number {
    return this.#vocabulary
  }

  set vocabulary(size: number) {
    if (!Number.isSafeInteger(size) || size < 1 || size > this.config.vocabSize) {
      throw new RangeError(`vocabulary: got ${size}, expected 1 to the model's ${this.config.vocabSize}`)
    }
    this.#vocabulary = size
  }

  /**
   * Hidden states after the last norm. Sequences are right-padded; see `Trunk.forward`.
   * @param ids int64 [B, L]
   * @param options.rows int64 [N], flat positions b·L + j: the last layer is computed for them only
   * @returns [B, L, D], or [N, D] with rows
   */
  hidden(ids: Tensor, options: { readonly rows?: Tensor } = {}): Tensor {
    return this.model.forward(ids, options.rows)
  }

  /** Hidden states [..., D] → logits [..., V'], in the model's dtype. */
  logits(hidden: Tensor): Tensor {
    const table = (this.lm_head ?? this.model.embed_tokens).weight
    const known = this.#vocabulary === this.config.vocabSize ? table : table.narrow(0, 0, this.#vocabulary)
    return torch.linear(hidden, known)
  }
}
