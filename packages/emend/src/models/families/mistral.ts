/** Mistral 7B: a Llama whose layers may all read a sliding window only (Jiang et al. 2023, arXiv 2310.06825). */

import type { Family } from './family.js'
import { isRotaryBuffer, readLlamaShape, writeLlamaShape } from './llama.js'

export const mistral: Family = {
  name: 'mistral',
  causal: 'MistralForCausalLM',
  tokenClassification: 'MistralForTokenClassification',
  read(json) {
    json.only('layer_types')
    // A file that does not speak of a window has transformers' 4,096; one without a window says null.
    const window = json.has('sliding_window') ? json.get('sliding_window') : 4096
    return {
      ...readLlamaShape(json),
      kvHeads: json.number('num_key_value_heads'),
      slidingWindow: window === undefined ? null : json.number('sliding_window', 4096),
    }
  },
  write: config => ({
    ...writeLlamaShape(config),
    attention_dropout: 0,
    sliding_window: config.slidingWindow,
  }),
  idle: isRotaryBuffer,
}
