/** Qwen 3: a Llama with norms on each head of queries and keys (Yang et al. 2025, arXiv 2505.09388). */

import type { Family } from './family.js'
import { isRotaryBuffer, readLlamaShape, writeLlamaShape } from './llama.js'
import { readQwenWindow, writeQwenWindow } from './qwen2.js'

export const qwen3: Family = {
  name: 'qwen3',
  causal: 'Qwen3ForCausalLM',
  tokenClassification: 'Qwen3ForTokenClassification',
  read(json) {
    const shape = readLlamaShape(json)
    return {
      ...shape,
      kvHeads: json.number('num_key_value_heads'),
      headDim: json.number('head_dim', 128),
      attentionBias: json.flag('attention_bias', false) ? 'all' : 'none',
      qkNorm: true,
      ...readQwenWindow(json, shape.layers),
    }
  },
  write: config => ({
    ...writeLlamaShape(config),
    attention_bias: config.attentionBias === 'all',
    attention_dropout: 0,
    ...writeQwenWindow(config),
  }),
  idle: isRotaryBuffer,
}
