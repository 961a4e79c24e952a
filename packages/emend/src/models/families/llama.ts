/** Llama 2 and 3, and who shares their shape (SmolLM2, TinyLlama, …); also the settings that its descendants share. */

import type { DecoderConfig, DecoderShape } from '../config.js'
import type { ConfigReader } from './config-reader.js'
import type { Family } from './family.js'
import { readRope, writeRope } from './rope-config.js'

/** What Llama and its descendants name alike: everything but biases, norms on heads, and windows. */
export function readLlamaShape(json: ConfigReader): DecoderShape {
  const hiddenSize = json.number('hidden_size')
  const heads = json.number('num_attention_heads')
  const maxPositions = json.number('max_position_embeddings', 2048)
  return {
    vocabSize: json.number('vocab_size'),
    hiddenSize,
    intermediateSize: json.number('intermediate_size'),
    layers: json.number('num_hidden_layers'),
    heads,
    kvHeads: json.number('num_key_value_heads', heads),
    headDim: json.number('head_dim', hiddenSize / heads),
    activation: json.activation('hidden_act', 'silu'),
    normEps: json.number('rms_norm_eps', 1e-6),
    tied: json.flag('tie_word_embeddings', false),
    maxPositions,
    ...readRope(json, maxPositions),
  }
}

/** The other way round. */
export function writeLlamaShape(config: DecoderConfig): Record<string, unknown> {
  return {
    head_dim: config.headDim,
    hidden_act: config.activation === 'gelu_tanh' ? 'gelu_pytorch_tanh' : config.activation,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    max_position_embeddings: config.maxPositions,
    num_attention_heads: config.heads,
    num_hidden_layers: config.layers,
    num_key_value_heads: config.kvHeads,
    rms_norm_eps: config.normEps,
    tie_word_embeddings: config.tied,
    ...writeRope(config),
  }
}

/** Rotary frequencies, which follow from the config; old folders hold them. */
export const isRotaryBuffer = (name: string): boolean => name.endsWith('.rotary_emb.inv_freq')

export const llama: Family = {
  name: 'llama',
  causal: 'LlamaForCausalLM',
  tokenClassification: 'LlamaForTokenClassification',
  read(json) {
    json.only('sliding_window')
    return {
      ...readLlamaShape(json),
      attentionBias: json.flag('attention_bias', false) ? 'all' : 'none',
      mlpBias: json.flag('mlp_bias', false),
    }
  },
  write: config => ({
    ...writeLlamaShape(config),
    attention_bias: config.attentionBias === 'all',
    attention_dropout: 0,
    mlp_bias: config.mlpBias,
  }),
  idle: isRotaryBuffer,
}
