import { describe, expect, it } from 'vitest'
import { adaptedDecoder, adaptedScalar, createDecoder, decoderConfig } from '../models/index.js'
import { describeMemory, estimateMemory, stageMemory, weightsIn } from './memory-estimate.js'

// D = 4, I = 8, one head of 4, two layers, 10 words.
const config = decoderConfig({
  vocabSize: 10,
  hiddenSize: 4,
  intermediateSize: 8,
  layers: 2,
  heads: 1,
  maxPositions: 64,
})
const base = {
  config,
  weights: 1000,
  trained: 100,
  dtype: 'float32',
  tokens: 3,
  adapter: true,
  recompute: false,
} as const

describe('estimateMemory, by hand', () => {
  it('an adapter: a layer keeps 4 D + 3 Q + 2 K + 4 I numbers a token', () => {
    const { activations, layer, gradients, optimizer, logits, cache, total } = estimateMemory(base)
    // 16 + 12 + 8 + 32 = 68 a token and layer; 2 D + 3 I = 32 a token pass by
    expect(activations).toBe(4 * 2 * 3 * 68)
    expect(layer).toBe(4 * 3 * 32)
    expect(gradients).toBe(400)
    expect(optimizer).toBe(800)
    expect(logits).toBe(3 * 10 * 4 * 3)
    expect(cache).toBe(0)
    // 384 of the layer at work are more than 360 of logits
    expect(total).toBe(1000 + 400 + 800 + 384 + activations)
  })

  it('recomputed: D a token and layer, and one layer', () => {
    const { activations, layer } = estimateMemory({ ...base, recompute: true })
    expect(activations).toBe(4 * 2 * 3 * 4)
    expect(layer).toBe(4 * (3 * 68 + 3 * 32))
  })

  it('weights that are trained are copied twice where a norm is multiplied into them', () => {
    // q, k, v: 4 × 12; gate and up: 4 × 16
    expect(estimateMemory({ ...base, adapter: false }).activations).toBe(4 * 2 * (3 * 68 + 2 * 4 * 28))
  })

  it('half precision has float32 gradients, moments and masters', () => {
    const half = estimateMemory({ ...base, dtype: 'bfloat16' })
    expect(half.gradients).toBe(600)
    expect(half.optimizer).toBe(1200)
  })

  it('generation keeps keys and values, and nothing for a backward pass', () => {
    const { activations, layer, cache, logits } = estimateMemory({ ...base, trained: 0, cache: { rows: 5, length: 7 } })
    expect(cache).toBe(5 * 7 * 2 * 2 * 4 * 4)
    expect(activations).toBe(0)
    expect(layer).toBe(4 * 3 * 32)
    expect(logits).toBe(3 * 10 * 4 * 2)
  })
})

it('weights are counted once, however many models read them', () => {
  const decoder = createDecoder(config, 1)
  const lora = { rank: 1, alpha: 1, targets: ['q_proj'] }
  const [policy, reward] = [adaptedDecoder(decoder, lora, 1), adaptedScalar(decoder, lora, 2)]
  const one = weightsIn([decoder])
  // Two layers of A [1, 4] and B [4, 1]; the head is 4 + 1.
  expect(weightsIn([policy, reward, decoder])).toBe(one + 4 * (16 + 16 + 5))
})

it('stages are told in words; adapters need less than weights, recomputation less still', () => {
  const rows = stageMemory({ ...config, hiddenSize: 256, intermediateSize: 512, layers: 8, headDim: 256 }, { lora: 2 })
  const total = (stage: string) => rows.find(row => row.stage === stage)!.estimate.total
  expect(total('sft, recompute')).toBeLessThan(total('sft'))
  expect(total('sft, lora 2')).toBeLessThan(total('sft'))
  expect(total('sft, lora 2, recompute')).toBeLessThan(total('sft, recompute'))
  expect(total('ppo, lora 2, recompute')).toBeLessThan(total('ppo') / 2)
  expect(describeMemory({ ...estimateMemory(base), total: 2.5e9 })).toMatch(/^2.50 GB: weights 0.000, gradients 0.000/)
})
