/** How much memory a model takes at a stage: what is known beforehand from its shape, to be held against what was measured. */
import type { DType, Module, Tensor } from '@emend/torch'
import { type DecoderConfig, logitRows, tensorShapes } from '../models/index.js'

/** What decides the memory of training or generating. */
export interface MemoryQuestion {
  readonly config: DecoderConfig
  /** bytes of all weights, each once however many models read it */
  readonly weights: number
  /** numbers that are trained, of all models together; 0 when nothing is */
  readonly trained: number
  /** of the weights; the gradients, moments and masters of half precision are float32 */
  readonly dtype: DType
  /** padded tokens that pass forward and backward at once */
  readonly tokens: number
  /** the weights are frozen and an adapter is trained */
  readonly adapter: boolean
  readonly recompute: boolean
  /** no logits are made (reward and value models) */
  readonly scalar?: boolean
  /** rows and columns of the key-value cache, where there is generation */
  readonly cache?: { readonly rows: number; readonly length: number }
}

/** Bytes by what they are for. */
export interface MemoryEstimate {
  readonly weights: number
  readonly gradients: number
  /** two moments, and float32 masters of weights of half precision */
  readonly optimizer: number
  /** what autograd keeps between forward and backward */
  readonly activations: number
  /** of the layer at work: its temporaries, and what it keeps where layers are computed again */
  readonly layer: number
  readonly logits: number
  readonly cache: number
  /** at the peak: a layer is at work, or logits are made, never both */
  readonly total: number
}

const BYTES: Partial<Record<DType, number>> = { float64: 8, float32: 4, bfloat16: 2, float16: 2 }
const bytesOf = (dtype: DType) => BYTES[dtype] ?? 4

/** Bytes at the peak of a step; the process itself (Node, libtorch) takes some 200 MB beside them. */
export function estimateMemory(question: MemoryQuestion): MemoryEstimate {
  const { config, weights, trained, dtype, tokens, adapter, recompute, scalar = false, cache } = question
  const { hiddenSize: D, intermediateSize: I, heads, kvHeads, headDim, gated, layers, vocabSize } = config
  const unit = bytesOf(dtype)
  const half = unit < 4
  const Q = heads * headDim
  const K = kvHeads * headDim
  const training = trained > 0
  // A layer keeps: the inputs of its two norms and of its maps (twice D each), q, k, v, what attention gives (also
  // transposed), and of the feed-forward layer σ's input and output, the other factor and the product.
  const perToken = 4 * D + 3 * Q + 2 * K + (gated ? 4 : 2) * I
  // Maps that are trained are joined and multiplied by the norm's weight first (`scaledLinear`): two copies of them.
  const scaled = adapter ? 0 : 2 * D * (Q + 2 * K + (gated ? 2 : 1) * I)
  const layer = tokens * perToken + scaled
  const passing = tokens * (2 * D + (gated ? 3 : 2) * I)
  const kept = recompute ? layers * tokens * D : layers * layer
  const atWork = passing + (training && recompute ? layer : 0)
  const rows = Math.min(tokens, logitRows(vocabSize))
  // Logits, their log-softmax, and backward the gradients of both.
  const logits = scalar ? 0 : rows * vocabSize * 4 * (training ? 3 : 2)
  const estimate = {
    weights,
    gradients: trained * (half ? 4 + unit : unit),
    optimizer: trained * (half ? 12 : 2 * unit),
    activations: training ? unit * kept : 0,
    layer: unit * atWork,
    logits,
    cache: cache ? cache.rows * cache.length * 2 * layers * K * unit : 0,
  }
  const sum = Object.values(estimate).reduce((total, bytes) => total + bytes, 0)
  return { ...estimate, total: sum - Math.min(estimate.layer, logits) }
}

/** Bytes of the weights of modules, each tensor once. */
export function weightsIn(modules: Iterable<Module>): number {
  const tensors = new Set<Tensor>()
  for (const module of modules) for (const tensor of module.parameters().values()) tensors.add(tensor)
  let weights = 0
  for (const tensor of tensors) weights += tensor.numel * bytesOf(tensor.dtype)
  return weights
}

/** A row of what a model would take: `emend inspect` prints them. */
export interface StageMemory {
  readonly stage: string
  readonly estimate: MemoryEstimate
}

/**
 * What a model takes at each stage, with `tokens` padded tokens at once and, where it generates, 64 rows of `length`.
 * @param lora rank of the adapters of the stages that train one
 */
export function stageMemory(
  config: DecoderConfig,
  { dtype = 'float32' as DType, tokens = 2048, length = 512, lora = 16 } = {},
): StageMemory[] {
  let numbers = 0
  let changed = 0
  for (const [name, shape] of tensorShapes(config, 'vocabulary')) {
    numbers += shape.reduce((product, size) => product * size, 1)
    if (/_proj\.weight$/.test(name)) changed += lora * (shape[0]! + shape[1]!)
  }
  const one = numbers * bytesOf(dtype)
  const common = { config, dtype, tokens: Math.min(tokens, config.maxPositions * 64) }
  const cache = { rows: 64, length: Math.min(length, config.maxPositions) }
  const question = (stage: string, rest: Omit<MemoryQuestion, keyof typeof common>): StageMemory => ({
    stage,
    estimate: estimateMemory({ ...common, ...rest }),
  })
  const adapters = (n: number) => ({ weights: one + n * changed * 4, adapter: true })
  return [
    question('generate', { weights: one, trained: 0, adapter: false, recompute: false, cache }),
    question('sft', { weights: one, trained: numbers, adapter: false, recompute: false }),
    question('sft, recompute', { weights: one, trained: numbers, adapter: false, recompute: true }),
    question(`sft, lora ${lora}`, { ...adapters(1), trained: changed, recompute: false }),
    question(`sft, lora ${lora}, recompute`, { ...adapters(1), trained: changed, recompute: true }),
    // Policy, reference, reward and value: four copies, or one with three adapters.
    question('ppo', { weights: 4 * one, trained: 2 * numbers, adapter: false, recompute: false, cache }),
    question(`ppo, lora ${lora}, recompute`, { ...adapters(3), trained: 2 * changed, recompute: true, cache }),
  ]
}

/** `1.23 GB: weights 0.54, …` */
export function describeMemory(estimate: MemoryEstimate): string {
  const { total, ...parts } = estimate
  const named = Object.entries(parts).filter(([, bytes]) => bytes > 0)
  return `${gigabytes(total)} GB: ${named.map(([name, bytes]) => `${name} ${gigabytes(bytes)}`).join(', ')}`
}

/** Three digits after the point below 1 GB, two above. */
export const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(bytes < 1e9 ? 3 : 2)
