/** The shape of a decoder, and how it reads from and writes to Hugging Face's `config.json` of a Llama. */

import { EmendError } from '../errors.js'

/** The shape of a Llama decoder, under names of our own; `fromHuggingFace` and `toHuggingFace` translate. */
export interface DecoderConfig {
  /** rows of the embedding table; the tokenizer may use fewer (see `Decoder.vocabulary`) */
  readonly vocabSize: number
  /** D, the width of the residual stream */
  readonly hiddenSize: number
  /** the inner width of the SwiGLU */
  readonly intermediateSize: number
  readonly layers: number
  /** query heads */
  readonly heads: number
  /** key and value heads; each serves heads / kvHeads query heads */
  readonly kvHeads: number
  readonly headDim: number
  readonly ropeTheta: number
  readonly normEps: number
  /** the vocabulary projection is the embedding table */
  readonly tied: boolean
  /** the context: positions 0 .. maxPositions - 1 */
  readonly maxPositions: number
  readonly bos: number | null
  /** every id that ends a response */
  readonly eos: readonly number[]
  readonly pad: number | null
}

/** What a config must say; the rest has defaults. */
export type DecoderShape = Partial<DecoderConfig> & Pick<DecoderConfig, 'vocabSize' | 'hiddenSize' | 'layers' | 'heads'>

/**
 * A full config from the few numbers that must be chosen. Defaults: kvHeads = heads, headDim = hiddenSize / heads,
 * intermediateSize = 8/3 of the width rounded up to a multiple of 16, tied embeddings, θ 10,000, ε 1e-5, 2,048 positions.
 * @throws EmendError naming the setting that cannot be
 */
export function decoderConfig(shape: DecoderShape): DecoderConfig {
  const config: DecoderConfig = {
    intermediateSize: Math.ceil((shape.hiddenSize * 8) / 3 / 16) * 16,
    kvHeads: shape.heads,
    headDim: shape.hiddenSize / shape.heads,
    ropeTheta: 10_000,
    normEps: 1e-5,
    tied: true,
    maxPositions: 2048,
    bos: null,
    eos: [],
    pad: null,
    ...shape,
  }
  for (const key of COUNTS) {
    const got = config[key]
    if (!Number.isSafeInteger(got) || got < 1) {
      throw new EmendError(`decoder config: ${key}: got ${got}, expected a whole number from 1`)
    }
  }
  if (config.heads % config.kvHeads !== 0) {
    throw new EmendError(`decoder config: heads ${config.heads} is no multiple of kvHeads ${config.kvHeads}`)
  }
  if (config.headDim % 2 !== 0) {
    throw new EmendError(`decoder config: headDim: got ${config.headDim}, expected an even number (rotary positions)`)
  }
  for (const key of ['ropeTheta', 'normEps'] as const) {
    if (!(config[key] > 0 && config[key] < Infinity)) {
      throw new EmendError(`decoder config: ${key}: got ${config[key]}, expected a positive number`)
    }
  }
  for (const id of [config.bos, config.pad, ...config.eos]) {
    if (id !== null && !(Number.isSafeInteger(id) && id >= 0 && id < config.vocabSize)) {
      throw new EmendError(`decoder config: special token ${id} is outside the vocabulary of ${config.vocabSize}`)
    }
  }
  return config
}

const COUNTS = [
  'vocabSize',
  'hiddenSize',
  'intermediateSize',
  'layers',
  'heads',
  'kvHeads',
  'headDim',
  'maxPositions',
] as const

/** Settings of a Hugging Face Llama config that change the numbers, with the only values we implement. */
const ONLY: Readonly<Record<string, readonly unknown[]>> = {
  model_type: ['llama'],
  hidden_act: ['silu', undefined],
  attention_bias: [false, undefined],
  mlp_bias: [false, undefined],
  rope_scaling: [null, undefined],
  quantization_config: [null, undefined],
  sliding_window: [null, undefined],
  partial_rotary_factor: [1, null, undefined],
}

/**
 * Reads the `config.json` of a LlamaForCausalLM or LlamaForTokenClassification (transformers 4 and 5 both).
 * @param where the file's name, for messages
 * @throws EmendError naming the key that is missing, wrong or not supported
 */
export function fromHuggingFace(json: unknown, where = 'config.json'): DecoderConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new EmendError(`${where}: got ${json === null ? 'null' : typeof json}, expected a JSON object`)
  }
  const given = json as Record<string, unknown>
  for (const [key, allowed] of Object.entries(ONLY)) {
    if (!allowed.includes(given[key])) {
      throw new EmendError(
        `${where}: ${key} ${JSON.stringify(given[key])} is not supported, only ${JSON.stringify(allowed[0])}`,
      )
    }
  }
  const rope = (given['rope_parameters'] ?? {}) as Record<string, unknown>
  if ((rope['rope_type'] ?? 'default') !== 'default') {
    throw new EmendError(
      `${where}: rope_parameters.rope_type ${JSON.stringify(rope['rope_type'])} is not supported, only "default"`,
    )
  }
  const number = (key: string, fallback?: number, from = given): number => {
    const value = from[key] ?? fallback
    if (typeof value !== 'number') {
      const got = value === undefined ? 'nothing' : JSON.stringify(value)
      throw new EmendError(`${where}: ${key}: got ${got}, expected a number`)
    }
    return value
  }
  const id = (key: string): number | null => (given[key] == null ? null : number(key))
  const eos = given['eos_token_id']
  const hiddenSize = number('hidden_size')
  const heads = number('num_attention_heads')
  try {
    return decoderConfig({
      vocabSize: number('vocab_size'),
      hiddenSize,
      intermediateSize: number('intermediate_size'),
      layers: number('num_hidden_layers'),
      heads,
      kvHeads: number('num_key_value_heads', heads),
      headDim: number('head_dim', hiddenSize / heads),
      ropeTheta: number('rope_theta', number('rope_theta', 10_000), rope),
      normEps: number('rms_norm_eps', 1e-6),
      tied: given['tie_word_embeddings'] === true,
      maxPositions: number('max_position_embeddings', 2048),
      bos: id('bos_token_id'),
      eos: Array.isArray(eos) ? (eos as number[]) : eos == null ? [] : [number('eos_token_id')],
      pad: id('pad_token_id'),
    })
  } catch (error) {
    if (error instanceof EmendError) throw new EmendError(`${where}: ${error.message}`)
    throw error
  }
}

/** The `config.json` that transformers reads as the same model. */
export function toHuggingFace(
  config: DecoderConfig,
  architecture: 'LlamaForCausalLM' | 'LlamaForTokenClassification',
  dtype: string = 'float32',
): Record<string, unknown> {
  return {
    architectures: [architecture],
    attention_bias: false,
    attention_dropout: 0,
    bos_token_id: config.bos,
    eos_token_id: config.eos.length === 0 ? null : config.eos.length === 1 ? config.eos[0] : config.eos,
    head_dim: config.headDim,
    hidden_act: 'silu',
    hidden_size: config.hiddenSize,
    ...(architecture === 'LlamaForTokenClassification'
      ? { id2label: { 0: 'LABEL_0' }, label2id: { LABEL_0: 0 }, num_labels: 1 }
      : {}),
    intermediate_size: config.intermediateSize,
    max_position_embeddings: config.maxPositions,
    mlp_bias: false,
    model_type: 'llama',
    num_attention_heads: config.heads,
    num_hidden_layers: config.layers,
    num_key_value_heads: config.kvHeads,
    pad_token_id: config.pad,
    rms_norm_eps: config.normEps,
    // transformers 4 reads the first, transformers 5 the second
    rope_theta: config.ropeTheta,
    rope_parameters: { rope_theta: config.ropeTheta, rope_type: 'default' },
    tie_word_embeddings: config.tied,
    torch_dtype: dtype,
    dtype,
    use_cache: true,
    vocab_size: config.vocabSize,
  }
}
