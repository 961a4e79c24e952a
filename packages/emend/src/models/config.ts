/** The shape of a decoder: every difference between the families of models that Emend knows, as data. */

import { EmendError } from '../errors.js'
import type { RopeScaling } from './rope.js'

/** σ between the two maps of a feed-forward layer; `gelu_tanh` is GELU's tanh approximation (GPT-2's, Gemma's). */
export type Activation = 'silu' | 'gelu' | 'gelu_tanh' | 'relu'

/** The shape of a decoder, under names of our own; `fromHuggingFace` and `toHuggingFace` translate. */
export interface DecoderConfig {
  /** whose `config.json` and tensor names it is read from and written as: a name in `families/` */
  readonly family: string
  /** rows of the embedding table; the tokenizer may use fewer (see `Decoder.vocabulary`) */
  readonly vocabSize: number
  /** D, the width of the residual stream */
  readonly hiddenSize: number
  /** the inner width of the feed-forward layer */
  readonly intermediateSize: number
  readonly layers: number
  /** query heads */
  readonly heads: number
  /** key and value heads; each serves heads / kvHeads query heads */
  readonly kvHeads: number
  readonly headDim: number
  /** the vocabulary projection is the embedding table */
  readonly tied: boolean
  /** the context: positions 0 .. maxPositions - 1 */
  readonly maxPositions: number

  /** rotations of queries and keys, or a learned vector added to each embedding */
  readonly positions: 'rotary' | 'learned'
  readonly ropeTheta: number
  readonly ropeScaling: RopeScaling | null
  /** θ of the sliding layers, unscaled, where it is another one (Gemma 3) */
  readonly localRopeTheta: number | null
  /** tokens that a token of a sliding layer reads, itself and those just before it; null without such layers */
  readonly slidingWindow: number | null
  /** which layers slide, one value a layer; empty without a window */
  readonly slidingLayers: readonly boolean[]

  /** factor of the attention scores; null for 1/√headDim */
  readonly attentionScale: number | null
  /** c of c · tanh(score / c) (Gemma 2), or null */
  readonly attentionSoftCap: number | null
  /** biases of no map, of the queries, keys and values, or also of the output */
  readonly attentionBias: 'none' | 'qkv' | 'all'
  /** norms on each head of queries and keys (Qwen 3) */
  readonly qkNorm: boolean

  /** down(σ(gate x) ⊙ up x), or down(σ(up x)) */
  readonly gated: boolean
  readonly activation: Activation
  readonly mlpBias: boolean

  /** root-mean-square, or mean and variance with a bias */
  readonly norm: 'rms' | 'layer'
  readonly normEps: number
  /** what is added to a norm's weight (Gemma stores w - 1) */
  readonly normOffset: 0 | 1
  /** norms also behind attention and feed-forward, before they join the residual stream (Gemma) */
  readonly postNorms: boolean
  /** factor of the embeddings (Gemma: √D) */
  readonly embeddingScale: number
  /** c of c · tanh(logit / c) (Gemma 2), or null */
  readonly logitSoftCap: number | null

  readonly bos: number | null
  /** every id that ends a response */
  readonly eos: readonly number[]
  readonly pad: number | null
}

/** What a config must say; the rest has defaults. */
export type DecoderShape = Partial<DecoderConfig> & Pick<DecoderConfig, 'vocabSize' | 'hiddenSize' | 'layers' | 'heads'>

/**
 * A full config from the few numbers that must be chosen. Defaults: a Llama; kvHeads = heads, headDim = hiddenSize / heads,
 * intermediateSize = 8/3 of the width rounded up to a multiple of 16, tied embeddings, θ 10,000, ε 1e-5, 2,048 positions.
 * @throws EmendError naming the setting that cannot be
 */
export function decoderConfig(shape: DecoderShape): DecoderConfig {
  const window = shape.slidingWindow ?? null
  if (!(shape.layers <= MAX_LAYERS)) {
    throw new EmendError(`decoder config: layers: got ${shape.layers}, expected at most ${MAX_LAYERS}`)
  }
  const config: DecoderConfig = {
    family: 'llama',
    intermediateSize: Math.ceil((shape.hiddenSize * 8) / 3 / 16) * 16,
    kvHeads: shape.heads,
    headDim: shape.hiddenSize / shape.heads,
    tied: true,
    maxPositions: 2048,
    positions: 'rotary',
    ropeTheta: 10_000,
    ropeScaling: null,
    localRopeTheta: null,
    attentionScale: null,
    attentionSoftCap: null,
    attentionBias: 'none',
    qkNorm: false,
    gated: true,
    activation: 'silu',
    mlpBias: false,
    norm: 'rms',
    normEps: 1e-5,
    normOffset: 0,
    postNorms: false,
    embeddingScale: 1,
    logitSoftCap: null,
    bos: null,
    eos: [],
    pad: null,
    ...shape,
    slidingWindow: window,
    slidingLayers:
      window === null ? [] : (shape.slidingLayers ?? Array.from({ length: Math.max(0, shape.layers) }, () => true)),
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
  if (config.positions === 'rotary' && config.headDim % 2 !== 0) {
    throw new EmendError(`decoder config: headDim: got ${config.headDim}, expected an even number (rotary positions)`)
  }
  for (const key of POSITIVE) {
    const got = config[key]
    if (got !== null && !(got > 0 && got < Infinity)) {
      throw new EmendError(`decoder config: ${key}: got ${got}, expected a positive number`)
    }
  }
  if (window !== null && (!Number.isSafeInteger(window) || window < 1)) {
    throw new EmendError(`decoder config: slidingWindow: got ${window}, expected a whole number from 1`)
  }
  if (window !== null && config.slidingLayers.length !== config.layers) {
    throw new EmendError(
      `decoder config: slidingLayers: got ${config.slidingLayers.length} values for ${config.layers} layers`,
    )
  }
  for (const id of [config.bos, config.pad, ...config.eos]) {
    if (id !== null && !(Number.isSafeInteger(id) && id >= 0 && id < config.vocabSize)) {
      throw new EmendError(`decoder config: special token ${id} is outside the vocabulary of ${config.vocabSize}`)
    }
  }
  return config
}

/** Far above any model there is: a file that lies must not make us count to a billion. */
export const MAX_LAYERS = 10_000

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

const POSITIVE = [
  'ropeTheta',
  'localRopeTheta',
  'normEps',
  'attentionScale',
  'attentionSoftCap',
  'logitSoftCap',
  'embeddingScale',
] as const
