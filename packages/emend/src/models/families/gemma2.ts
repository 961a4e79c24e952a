/** Gemma 2 (arXiv 2408.00118): norms before and behind each layer, soft caps, a window on every other layer. */

import type { DecoderConfig, DecoderShape } from '../config.js'
import type { ConfigReader } from './config-reader.js'
import type { Family, StoredTensor } from './family.js'
import { isRotaryBuffer, readLlamaShape, writeLlamaShape } from './llama.js'

/** What Gemma 2 and 3 share. */
export function readGemmaShape(json: ConfigReader): DecoderShape {
  json.only('use_bidirectional_attention', false)
  // transformers reads `hidden_activation` alone; old files also say `hidden_act`, which was wrong.
  const shape = readLlamaShape(json)
  return {
    ...shape,
    activation: json.activation('hidden_activation', 'gelu_pytorch_tanh'),
    kvHeads: json.number('num_key_value_heads'),
    headDim: json.number('head_dim', 256),
    tied: json.flag('tie_word_embeddings', true),
    attentionBias: json.flag('attention_bias', false) ? 'all' : 'none',
    attentionScale: json.number('query_pre_attn_scalar', 256) ** -0.5,
    normOffset: 1,
    postNorms: true,
    embeddingScale: Math.sqrt(shape.hiddenSize),
  }
}

/** The other way round. */
export function writeGemmaShape(config: DecoderConfig): Record<string, unknown> {
  const { hidden_act, ...shape } = writeLlamaShape(config)
  return {
    ...shape,
    attention_bias: config.attentionBias === 'all',
    attention_dropout: 0,
    final_logit_softcapping: config.logitSoftCap,
    hidden_activation: hidden_act,
    layer_types: config.slidingLayers.map(slides => (slides ? 'sliding_attention' : 'full_attention')),
    // 1/√x and back loses the last digit
    query_pre_attn_scalar: Number(((config.attentionScale ?? config.headDim ** -0.5) ** -2).toPrecision(12)),
    sliding_window: config.slidingWindow,
  }
}

/** Our names are Llama's: there `post_attention_layernorm` stands before the feed-forward layer, here behind attention. */
const NORMS: Readonly<Record<string, string>> = {
  attention_output_norm: 'post_attention_layernorm',
  post_attention_layernorm: 'pre_feedforward_layernorm',
  mlp_output_norm: 'post_feedforward_layernorm',
}

export const storedByGemma = (name: string): StoredTensor => ({
  name: name.replace(/\b(attention_output_norm|post_attention_layernorm|mlp_output_norm)\b/, norm => NORMS[norm]!),
})

/** A number, or null where the file says so; absent, the fallback. */
export const capOf = (json: ConfigReader, key: string, fallback: number | null): number | null =>
  json.get(key) === undefined ? (json.has(key) ? null : fallback) : json.number(key)

export const gemma2: Family = {
  name: 'gemma2',
  causal: 'Gemma2ForCausalLM',
  tokenClassification: 'Gemma2ForTokenClassification',
  read(json) {
    const shape = readGemmaShape(json)
    return {
      ...shape,
      attentionSoftCap: capOf(json, 'attn_logit_softcapping', 50),
      logitSoftCap: capOf(json, 'final_logit_softcapping', 30),
      slidingWindow: json.number('sliding_window', 4096),
      slidingLayers: json.slidingLayers(shape.layers, i => i % 2 === 0),
    }
  },
  write: config => ({ ...writeGemmaShape(config), attn_logit_softcapping: config.attentionSoftCap }),
  stored: storedByGemma,
  idle: isRotaryBuffer,
}
