/** Qwen 2 and 2.5: a Llama with biases on queries, keys and values, and a window on the upper layers if asked for. */

import type { DecoderConfig, DecoderShape } from '../config.js'
import type { ConfigReader } from './config-reader.js'
import type { Family } from './family.js'
import { isRotaryBuffer, readLlamaShape, writeLlamaShape } from './llama.js'

/** The window of a Qwen: on the layers from `max_window_layers` on, and only with `use_sliding_window`. */
export function readQwenWindow(
  json: ConfigReader,
  layers: number,
): Pick<DecoderShape, 'slidingWindow' | 'slidingLayers'> {
  const window = json.flag('use_sliding_window', false) ? json.get('sliding_window') : undefined
  const first = json.number('max_window_layers', 28)
  const slidingLayers = json.slidingLayers(layers, i => window !== undefined && i >= first)
  if (!slidingLayers.includes(true)) return {}
  return { slidingWindow: json.number('sliding_window'), slidingLayers }
}

/** The other way round; the lowest sliding layer is written beside the list, for readers that know only it. */
export function writeQwenWindow({ slidingWindow, slidingLayers, layers }: DecoderConfig): Record<string, unknown> {
  const sliding = Array.from({ length: layers }, (_, i) => slidingLayers[i] ?? false)
  const first = sliding.indexOf(true)
  return {
    layer_types: sliding.map(slides => (slides ? 'sliding_attention' : 'full_attention')),
    max_window_layers: first < 0 ? layers : first,
    sliding_window: slidingWindow,
    use_sliding_window: slidingWindow !== null,
  }
}

export const qwen2: Family = {
  name: 'qwen2',
  causal: 'Qwen2ForCausalLM',
  tokenClassification: 'Qwen2ForTokenClassification',
  read(json) {
    const shape = readLlamaShape(json)
    return {
      ...shape,
      kvHeads: json.number('num_key_value_heads'),
      attentionBias: 'qkv',
      ...readQwenWindow(json, shape.layers),
    }
  },
  write: config => ({ ...writeLlamaShape(config), attention_dropout: 0, ...writeQwenWindow(config) }),
  idle: isRotaryBuffer,
}
