/** A causal decoder: norms, attention and feed-forward layers as the config describes them, under Hugging Face's names for Llama. */

import { type Device, type DType, nn, scope, type Tensor, tensor, torch } from '@emend/torch'
import { Attention, type LayerPass, layerPasses, type Pass } from './attention.js'
import type { DecoderConfig } from './config.js'
import { FeedForward } from './feed-forward.js'
import type { Adapter } from './lora.js'
import { Norm } from './norm.js'
import { PackedWeights } from './packed.js'
import { PositionTable } from './positions.js'
import { recomputed } from './recompute.js'

class DecoderLayer extends nn.Module {
  readonly self_attn: Attention
  readonly mlp: FeedForward
  readonly input_layernorm: Norm
  /** before the feed-forward layer, which Llama calls so */
  readonly post_attention_layernorm: Norm
  /** of what attention and feed-forward give, before it joins the residual stream; absent from most families */
  readonly attention_output_norm: Norm | undefined
  readonly mlp_output_norm: Norm | undefined

  constructor(config: DecoderConfig, options: nn.LayerOptions) {
    super()
    const norm = () => new Norm(config.hiddenSize, config, options)
    this.self_attn = new Attention(config, options)
    this.mlp = new FeedForward(config, options)
    this.input_layernorm = norm()
    this.post_attention_layernorm = norm()
    this.attention_output_norm = config.postNorms ? norm() : undefined
    this.mlp_output_norm = config.postNorms ? norm() : undefined
  }

  /** x [B·L, D] → [B·L, D], or [N, D] when only `rows` (int64 [N] into B·L) are wanted of this layer. */
  forward(x: Tensor, pass: LayerPass, layer: number, rows?: Tensor): Tensor {
    let read = this.self_attn.read(x, this.input_layernorm, pass, layer)
    if (rows) {
      read = read.index_select(0, rows)
      x = x.index_select(0, rows)
    }
    const { o_proj } = this.self_attn
    const attended = this.attention_output_norm
      ? x.add(this.attention_output_norm.forward(o_proj.forward(read)))
      : o_proj.forward(read, x)
    const norm = this.post_attention_layernorm
    return this.mlp_output_norm
      ? attended.add(this.mlp_output_norm.forward(this.mlp.forward(attended, norm)))
      : this.mlp.forward(attended, norm, attended)
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
  /** [maxPositions, D], where positions are learned */
  readonly embed_positions: nn.Embedding | undefined
  readonly layers: readonly DecoderLayer[]
  readonly norm: Norm
  readonly rotary: PositionTable
  readonly adapter: Adapter | undefined
  /** a `Tape` keeps only the layers' inputs and computes each layer again in the backward pass */
  recompute = false

  constructor(
    readonly config: DecoderConfig,
    options: TrunkOptions = {},
  ) {
    super()
    const { base, adapter } = options
    this.embed_tokens = base?.embed_tokens ?? new nn.Embedding(config.vocabSize, config.hiddenSize, options)
    this.embed_positions =
      config.positions === 'learned'
        ? (base?.embed_positions ?? new nn.Embedding(config.maxPositions, config.hiddenSize, options))
        : undefined
    this.layers = base?.layers ?? Array.from({ length: config.layers }, () => new DecoderLayer(config, options))
    this.norm = base?.norm ?? new Norm(config.hiddenSize, config, options)
    this.rotary = base?.rotary ?? new PositionTable(config, this.embed_positions, options)
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
    return this.#adapted(() => this.#run(ids, pass, rows))
  }

  #adapted<T>(fn: () => T): T {
    return this.adapter ? this.adapter.active(fn) : fn()
  }

  #run(ids: Tensor, pass: Pass, rows?: Tensor): Tensor {
    const { slidingLayers } = this.config
    const { whole, sliding } = layerPasses(pass, this.config)
    let x = this.#embed(ids, pass)
    const last = this.layers.length - 1
    for (const [i, layer] of this.layers.entries()) {
      // The handles of what a layer makes would keep it all in memory to the end of the pass: autograd keeps what it needs.
      const forward = (x: Tensor) =>
        scope(() => layer.forward(x, slidingLayers[i] ? sliding : whole, i, i === last ? rows : undefined))
      // A segment is run again outside of this pass, when another adapter may be in place.
      x = this.recompute ? recomputed(x => [this.#adapted(() => forward(x))], x)[0] : forward(x)
    }
    return this.norm.forward(x)
  }

  /** [B, L] → [B·L, D] */
  #embed(ids: Tensor, { rotation: { vectors } }: Pass): Tensor {
    const { hiddenSize, embeddingScale } = this.config
    let x = this.embed_tokens.forward(ids.reshape([-1]))
    // The factor is rounded to the dtype of the weights, as Gemma does.
    if (embeddingScale !== 1) x = x.mul(tensor([embeddingScale], { dtype: this.dtype }).item())
    if (!vectors) return x
    return x
      .view([...ids.shape, hiddenSize])
      .add(vectors)
      .view([-1, hiddenSize])
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

  /** Hidden states [..., D] → logits [..., V'], in the model's dtype; soft-capped where the config says so. */
  logits(hidden: Tensor): Tensor {
    const table = (this.lm_head ?? this.model.embed_tokens).weight
    const known = this.#vocabulary === this.config.vocabSize ? table : table.narrow(0, 0, this.#vocabulary)
    const logits =
      PackedWeights.inUse?.linear(hidden, { weight: known, bias: null }, undefined, table) ??
      torch.linear(hidden, known)
    const cap = this.config.logitSoftCap
    return cap === null ? logits : logits.div(cap).tanh().mul(cap)
  }
}
