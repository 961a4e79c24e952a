/** GPT-2 (Radford et al. 2019): learned positions, layer norms, a plain feed-forward layer, matrices stored transposed. */

import type { Family, StoredTensor } from './family.js'

const NAMES: readonly (readonly [RegExp, string])[] = [
  [/^model\.embed_tokens\./, 'transformer.wte.'],
  [/^model\.embed_positions\./, 'transformer.wpe.'],
  [/^model\.norm\./, 'transformer.ln_f.'],
  [/^model\.layers\.(\d+)\.input_layernorm\./, 'transformer.h.$1.ln_1.'],
  [/^model\.layers\.(\d+)\.post_attention_layernorm\./, 'transformer.h.$1.ln_2.'],
  [/^model\.layers\.(\d+)\.self_attn\.[qkv]_proj\./, 'transformer.h.$1.attn.c_attn.'],
  [/^model\.layers\.(\d+)\.self_attn\.o_proj\./, 'transformer.h.$1.attn.c_proj.'],
  [/^model\.layers\.(\d+)\.mlp\.up_proj\./, 'transformer.h.$1.mlp.c_fc.'],
  [/^model\.layers\.(\d+)\.mlp\.down_proj\./, 'transformer.h.$1.mlp.c_proj.'],
  [/^score\./, 'classifier.'],
]

export const gpt2: Family = {
  name: 'gpt2',
  causal: 'GPT2LMHeadModel',
  tokenClassification: 'GPT2ForTokenClassification',
  read(json) {
    json.only('add_cross_attention', false)
    json.only('scale_attn_weights', true)
    json.only('scale_attn_by_inverse_layer_idx', false)
    const hiddenSize = json.number('n_embd')
    return {
      vocabSize: json.number('vocab_size'),
      hiddenSize,
      intermediateSize: json.number('n_inner', 4 * hiddenSize),
      layers: json.number('n_layer'),
      heads: json.number('n_head'),
      maxPositions: json.number('n_positions', 1024),
      tied: json.flag('tie_word_embeddings', true),
      positions: 'learned',
      attentionBias: 'all',
      gated: false,
      activation: json.activation('activation_function', 'gelu_new'),
      mlpBias: true,
      norm: 'layer',
      normEps: json.number('layer_norm_epsilon', 1e-5),
    }
  },
  write: config => ({
    activation_function: config.activation === 'gelu_tanh' ? 'gelu_new' : config.activation,
    attn_pdrop: 0,
    embd_pdrop: 0,
    layer_norm_epsilon: config.normEps,
    n_embd: config.hiddenSize,
    n_head: config.heads,
    n_inner: config.intermediateSize,
    n_layer: config.layers,
    n_positions: config.maxPositions,
    resid_pdrop: 0,
    tie_word_embeddings: config.tied,
  }),
  stored(name): StoredTensor {
    const rule = NAMES.find(([ours]) => ours.test(name))
    const stored: StoredTensor = { name: rule ? name.replace(rule[0], rule[1]) : name }
    const projection = /\.([qkvo]|up|down)_proj\.(weight|bias)$/.exec(name)
    if (!projection) return stored
    const part = ['q', 'k', 'v'].indexOf(projection[1]!)
    return {
      ...stored,
      transposed: projection[2] === 'weight',
      ...(part < 0 ? {} : { part, parts: 3 }),
    }
  },
  // The causal mask, which early files hold.
  idle: name => /\.attn\.(bias|masked_bias)$/.test(name),
}
