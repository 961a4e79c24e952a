/** The architectures of llama.cpp that Emend knows: how their metadata describes a decoder, in both directions. */

import { EmendError } from '../../errors.js'
import { type DecoderConfig, type DecoderShape, decoderConfig } from '../../models/config.js'
import type { GgufHeader } from './header.js'
import { Metadata } from './metadata.js'
import { readRopeScaling, ropeScalingEntries } from './rope-scaling.js'
import { specialIds } from './vocabulary.js'
import type { Entry } from './writer.js'

/** What sets an architecture apart from llama.cpp's `llama`. */
export interface Architecture {
  readonly name: string
  /** families of Emend that are written as it; reading gives the first */
  readonly families: readonly string[]
  /** what no key says: the code of llama.cpp has it built in */
  readonly fixed: (config: Numbers) => Partial<DecoderConfig>
  /** biases of queries, keys and values are part of it, not a choice of the file */
  readonly bias?: DecoderConfig['attentionBias']
  /** rows of queries and keys stand in the order of interleaved rotations */
  readonly interleaved?: boolean
  /** queries, keys and values are one tensor */
  readonly fused?: boolean
  readonly epsilon?: string
  /** keys beyond those that all have, each with the setting it holds */
  readonly keys?: Readonly<Record<string, 'attentionSoftCap' | 'logitSoftCap' | 'slidingWindow' | 'localRopeTheta'>>
}

type Numbers = Pick<DecoderConfig, 'hiddenSize' | 'heads' | 'headDim' | 'layers'>

const gemma = ({ hiddenSize }: Numbers) => ({
  activation: 'gelu_tanh' as const,
  normOffset: 1 as const,
  postNorms: true,
  embeddingScale: Math.sqrt(hiddenSize),
})

/** Gemma's factor of the attention scores: by the head's width, except in the 27B models, known by their depth. */
const gemmaScale = ({ hiddenSize, heads, headDim, layers }: Numbers, deep: number) => ({
  attentionScale: (layers === deep ? hiddenSize / heads : headDim) ** -0.5,
})

const sliding = (layers: number, whole: number) =>
  Array.from({ length: layers }, (_, layer) => (layer + 1) % whole !== 0)

const ARCHITECTURES: readonly Architecture[] = [
  { name: 'llama', families: ['llama', 'mistral'], fixed: () => ({}), interleaved: true },
  { name: 'qwen2', families: ['qwen2'], fixed: () => ({ attentionBias: 'qkv' }), bias: 'qkv' },
  { name: 'qwen3', families: ['qwen3'], fixed: () => ({ qkNorm: true }), bias: 'none' },
  {
    name: 'gemma2',
    families: ['gemma2'],
    fixed: numbers => ({ ...gemma(numbers), ...gemmaScale(numbers, 46), slidingLayers: sliding(numbers.layers, 2) }),
    bias: 'none',
    keys: {
      attn_logit_softcapping: 'attentionSoftCap',
      final_logit_softcapping: 'logitSoftCap',
      'attention.sliding_window': 'slidingWindow',
    },
  },
  {
    name: 'gemma3',
    families: ['gemma3_text'],
    fixed: numbers => ({
      ...gemma(numbers),
      ...gemmaScale(numbers, 62),
      qkNorm: true,
      slidingLayers: sliding(numbers.layers, 6),
      localRopeTheta: 10_000,
    }),
    bias: 'none',
    keys: {
      final_logit_softcapping: 'logitSoftCap',
      'attention.sliding_window': 'slidingWindow',
      'rope.freq_base_swa': 'localRopeTheta',
    },
  },
  {
    name: 'gpt2',
    families: ['gpt2'],
    fixed: () => ({
      positions: 'learned',
      gated: false,
      activation: 'gelu_tanh',
      attentionBias: 'all',
      mlpBias: true,
      norm: 'layer',
    }),
    bias: 'all',
    fused: true,
    epsilon: 'attention.layer_norm_epsilon',
  },
]

/** Keys that say nothing about the numbers, or nothing that other keys do not say. */
const IDLE = ['vocab_size', 'tensor_data_layout', 'rope.scaling.finetuned']

/** The architecture under which a family is written. */
export function architectureFor(family: string): Architecture {
  const found = ARCHITECTURES.find(architecture => architecture.families.includes(family))
  if (found) return found
  const known = ARCHITECTURES.flatMap(each => each.families)
  throw new EmendError(`GGUF: models of family ${family} are not written, only ${known.join(', ')}`)
}

/**
 * The decoder that a GGUF file describes, from its header alone.
 * @throws EmendError naming the key that is missing, wrong, or says what is not supported
 */
export function readConfig(header: GgufHeader): {
  readonly architecture: Architecture
  readonly config: DecoderConfig
} {
  const metadata = new Metadata(header)
  const kind = metadata.optionalString('general.type') ?? 'model'
  if (kind !== 'model') metadata.fail('general.type', `${JSON.stringify(kind)} is not supported, only whole models`)
  const parts = metadata.whole('split.count', 0)
  if (parts > 1) {
    metadata.fail('split.count', `this is one of ${parts} files; join them by llama-gguf-split --merge`)
  }
  const name = metadata.string('general.architecture')
  const architecture = ARCHITECTURES.find(each => each.name === name)
  if (!architecture) {
    return metadata.fail(
      'general.architecture',
      `${JSON.stringify(name)} is not supported, only ${ARCHITECTURES.map(each => each.name).join(', ')}`,
    )
  }
  const used = new Set(IDLE)
  const key = (suffix: string) => {
    used.add(suffix)
    return `${name}.${suffix}`
  }
  const whole = (suffix: string, otherwise?: number) => metadata.whole(key(suffix), otherwise)
  const real = (suffix: string, otherwise?: number) => shortest(metadata.number(key(suffix), otherwise))

  const hiddenSize = whole('embedding_length')
  const layers = whole('block_count')
  if (layers > header.tensors.size) {
    metadata.fail(key('block_count'), `got ${layers}, but the file has only ${header.tensors.size} tensors`)
  }
  const heads = whole('attention.head_count')
  if (heads < 1) metadata.fail(key('attention.head_count'), `got ${heads}, expected at least 1`)
  const headDim = whole('attention.key_length', hiddenSize / heads)
  for (const same of ['attention.value_length', 'rope.dimension_count']) {
    const got = whole(same, headDim)
    if (got !== headDim) metadata.fail(key(same), `${got} is not supported, only the width of a head, ${headDim}`)
  }
  const numbers: Numbers = { hiddenSize, layers, heads, headDim }
  const has = (tensor: string) => header.tensors.has(tensor)
  const embedding = header.tensors.get('token_embd.weight')
  if (!embedding) throw new EmendError(`${header.path}: missing tensor token_embd.weight`)
  const vocabSize = embedding.shape[0]!
  const special = specialIds(header, vocabSize)
  const shape: DecoderShape = {
    family: architecture.families[0]!,
    vocabSize,
    ...numbers,
    intermediateSize: whole('feed_forward_length'),
    kvHeads: whole('attention.head_count_kv', heads),
    tied: !has('output.weight'),
    maxPositions: whole('context_length'),
    ropeTheta: real('rope.freq_base', 10_000),
    normEps: real(architecture.epsilon ?? 'attention.layer_norm_rms_epsilon'),
    attentionBias:
      architecture.bias ?? (has('blk.0.attn_output.bias') ? 'all' : has('blk.0.attn_q.bias') ? 'qkv' : 'none'),
    mlpBias: has('blk.0.ffn_up.bias'),
    ...special,
    ...architecture.fixed(numbers),
  }
  const read: { -readonly [K in keyof DecoderShape]: DecoderShape[K] } = shape
  for (const [suffix, setting] of Object.entries(architecture.keys ?? {})) {
    if (metadata.has(key(suffix))) read[setting] = real(suffix)
  }
  read.ropeScaling = readRopeScaling(header, key, read.ropeTheta!, headDim)
  for (const name of metadata.keys()) {
    if (name.startsWith(`${architecture.name}.`) && !used.has(name.slice(architecture.name.length + 1))) {
      metadata.fail(name, 'is a setting that is not supported here')
    }
  }
  try {
    return { architecture, config: decoderConfig(read) }
  } catch (error) {
    if (error instanceof EmendError) throw new EmendError(`${header.path}: ${error.message}`)
    throw error
  }
}

/** The metadata of a decoder, the vocabulary apart. */
export function configEntries(config: DecoderConfig, architecture: Architecture): Entry[] {
  const { name } = architecture
  const entries: Entry[] = []
  const whole = (suffix: string, value: number) => entries.push([`${name}.${suffix}`, 'uint32', value])
  const real = (suffix: string, value: number) => entries.push([`${name}.${suffix}`, 'float32', value])
  whole('context_length', config.maxPositions)
  whole('embedding_length', config.hiddenSize)
  whole('block_count', config.layers)
  whole('feed_forward_length', config.intermediateSize)
  whole('attention.head_count', config.heads)
  whole('attention.head_count_kv', config.kvHeads)
  if (config.positions === 'rotary') {
    whole('attention.key_length', config.headDim)
    whole('attention.value_length', config.headDim)
    whole('rope.dimension_count', config.headDim)
    real('rope.freq_base', config.ropeTheta)
    for (const [suffix, ...rest] of ropeScalingEntries(config.ropeScaling)) entries.push([`${name}.${suffix}`, ...rest])
  }
  real(architecture.epsilon ?? 'attention.layer_norm_rms_epsilon', config.normEps)
  whole('vocab_size', config.vocabSize)
  for (const [suffix, setting] of Object.entries(architecture.keys ?? {})) {
    const value = config[setting]
    if (value === null) continue
    if (setting === 'slidingWindow') whole(suffix, value)
    else real(suffix, value)
  }
  return entries
}

/** The number with the fewest digits that has the same float32: a file holds 9.99999974e-6 for what was meant as 1e-5. */
function shortest(x: number): number {
  for (let digits = 1; digits < 17; digits++) {
    const short = Number(x.toPrecision(digits))
    if (Math.fround(short) === Math.fround(x)) return short
  }
  return x
}
