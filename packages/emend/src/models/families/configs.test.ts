import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EmendError } from '../../errors.js'
import { tensorShapes } from '../shapes.js'
import { fromHuggingFace, toHuggingFace } from './index.js'

/** `config.json` of models as they were published, by transformers 4, and how many parameters their authors count. */
const PUBLISHED = JSON.parse(
  readFileSync(new URL('../../../goldens/families/published.json', import.meta.url), 'utf8'),
) as Record<string, { parameters: number; config: Record<string, unknown> }>
const read = (name: string, change: object = {}) => fromHuggingFace({ ...PUBLISHED[name]!.config, ...change }, 'x.json')

describe('published models', () => {
  it.each(Object.entries(PUBLISHED))('%s: as many parameters as its authors count', (_, { parameters, config }) => {
    let count = 0
    for (const [, shape] of tensorShapes(fromHuggingFace(config), 'vocabulary'))
      count += shape.reduce((n, x) => n * x, 1)
    expect(count).toBe(parameters)
  })

  it('Llama 3.2: scaled rotations, several ends', () => {
    expect(read('Llama-3.2-1B-Instruct')).toMatchObject({
      family: 'llama',
      ropeTheta: 500_000,
      ropeScaling: {
        type: 'llama3',
        factor: 32,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalPositions: 8192,
      },
      eos: [128001, 128008, 128009],
      tied: true,
      slidingWindow: null,
      attentionBias: 'none',
    })
  })

  it('Mistral: a window on every layer; none where the file says null, 4,096 where it says nothing', () => {
    const config = read('Mistral-7B-v0.1')
    expect(config.slidingWindow).toBe(4096)
    expect(config.slidingLayers).toEqual(new Array(32).fill(true))
    expect(read('Mistral-7B-v0.1', { sliding_window: null })).toMatchObject({ slidingWindow: null, slidingLayers: [] })
    const { sliding_window, ...silent } = PUBLISHED['Mistral-7B-v0.1']!.config
    expect(sliding_window).toBe(fromHuggingFace(silent).slidingWindow)
  })

  it('Qwen 2.5: a window it does not use; with it, the layers from max_window_layers on', () => {
    const plain = read('Qwen2.5-0.5B-Instruct')
    expect(plain).toMatchObject({ attentionBias: 'qkv', ropeTheta: 1e6, slidingWindow: null, headDim: 64, tied: true })
    const used = read('Qwen2.5-0.5B-Instruct', { use_sliding_window: true })
    expect(used.slidingWindow).toBe(32768)
    expect(used.slidingLayers.map(Number).join('')).toBe('000000000000000000000111')
  })

  // 0.1 · ln 4 + 1
  it('Qwen with YaRN as its card tells one to add it', () => {
    const rope_scaling = { type: 'yarn', factor: 4, original_max_position_embeddings: 32768 }
    const { ropeScaling } = read('Qwen2.5-0.5B-Instruct', { rope_scaling })
    expect(ropeScaling).toMatchObject({ type: 'yarn', factor: 4, betaFast: 32, betaSlow: 1, originalPositions: 32768 })
    expect((ropeScaling as { magnitude: number }).magnitude).toBeCloseTo(1.138629, 6)
  })

  it('Qwen 3: norms on heads that are wider than D / heads', () => {
    expect(read('Qwen3-0.6B')).toMatchObject({ qkNorm: true, headDim: 128, hiddenSize: 1024, heads: 16, kvHeads: 8 })
  })

  it('Gemma 2: every other layer slides, the first does; ties though the file does not say so', () => {
    const config = read('gemma-2-2b-it')
    expect(config).toMatchObject({
      tied: true,
      attentionScale: 1 / 16,
      attentionSoftCap: 50,
      logitSoftCap: 30,
      embeddingScale: 48,
      activation: 'gelu_tanh',
      normOffset: 1,
      postNorms: true,
      slidingWindow: 4096,
    })
    expect(config.slidingLayers.slice(0, 4)).toEqual([true, false, true, false])
    expect(read('gemma-2-2b-it', { attn_logit_softcapping: null }).attentionSoftCap).toBeNull()
  })

  it('Gemma 3: every sixth layer reads everything, with a θ of its own', () => {
    const config = read('gemma-3-1b-it')
    expect(config).toMatchObject({ ropeTheta: 1e6, localRopeTheta: 10_000, qkNorm: true, attentionSoftCap: null })
    expect(config.slidingLayers.map(Number).join('')).toBe('11111011111011111011111011')
  })

  it('GPT-2', () => {
    expect(read('gpt2')).toMatchObject({
      positions: 'learned',
      norm: 'layer',
      gated: false,
      activation: 'gelu_tanh',
      attentionBias: 'all',
      mlpBias: true,
      intermediateSize: 3072,
      maxPositions: 1024,
      eos: [50256],
    })
  })

  it.each(Object.keys(PUBLISHED))('%s: written and read again is the same', name => {
    const config = read(name)
    expect(fromHuggingFace(JSON.parse(JSON.stringify(toHuggingFace(config, 'causal'))))).toEqual(config)
  })
})

describe('refused by name', () => {
  it.each([
    [
      'gpt2',
      { scale_attn_by_inverse_layer_idx: true },
      'scale_attn_by_inverse_layer_idx true is not supported, only false',
    ],
    ['gpt2', { scale_attn_weights: false }, 'scale_attn_weights false is not supported, only true'],
    ['gpt2', { add_cross_attention: true }, 'add_cross_attention true is not supported, only false'],
    ['gpt2', { activation_function: 'tanh' }, 'activation_function "tanh" is not supported, only silu, swish'],
    [
      'Mistral-7B-v0.1',
      { layer_types: ['full_attention'] },
      'layer_types ["full_attention"] is not supported, only null',
    ],
    ['Mistral-7B-v0.1', { num_key_value_heads: undefined }, 'num_key_value_heads: got nothing, expected a number'],
    [
      'Qwen3-0.6B',
      { layer_types: ['linear_attention'] },
      'layer_types: "linear_attention" is not supported, only full_attention',
    ],
    [
      'Qwen3-0.6B',
      { layer_types: ['sliding_attention'], sliding_window: 8 },
      'slidingLayers: got 1 values for 28 layers',
    ],
    [
      'gemma-2-2b-it',
      { use_bidirectional_attention: true },
      'use_bidirectional_attention true is not supported, only false',
    ],
    ['gemma-3-1b-it', { attn_logit_softcapping: 50 }, 'attn_logit_softcapping 50 is not supported, only null'],
    ['gemma-3-1b-it', { sliding_window_pattern: 0 }, 'sliding_window_pattern: got 0, expected a whole number from 1'],
    [
      'gemma-3-1b-it',
      { rope_parameters: { sliding_attention: { rope_type: 'linear', factor: 2 } } },
      'rope_parameters: sliding_attention.rope_type "linear" is not supported',
    ],
    [
      'Llama-3.2-1B-Instruct',
      { rope_scaling: { rope_type: 'llama3', factor: 0 } },
      'rope_scaling: factor: got 0, expected a positive number',
    ],
    [
      'Llama-3.2-1B-Instruct',
      { rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 4, high_freq_factor: 4 } },
      'high_freq_factor: got 4, expected more than low_freq_factor',
    ],
    [
      'Llama-3.2-1B-Instruct',
      { rope_scaling: { rope_type: 'yarn', factor: 8 }, rope_theta: 1 },
      'rope_theta: got 1, expected more than 1 for yarn',
    ],
    [
      'Llama-3.2-1B-Instruct',
      { quantization_config: { quant_method: 'gptq' } },
      'quantization_config {"quant_method":"gptq"} is not supported',
    ],
    ['Llama-3.2-1B-Instruct', { model_type: 'llama4' }, 'model_type "llama4" is not supported, only llama, mistral'],
  ])('%s with %j', (name, change, message) => {
    expect(() => read(name, change)).toThrow(`x.json: ${message.startsWith('slidingLayers') ? 'decoder config: ' : ''}`)
    expect(() => read(name, change)).toThrow(message)
  })

  it('whatever a file says, it is read or refused in one line that names it', () => {
    const keys = [...new Set(Object.values(PUBLISHED).flatMap(({ config }) => Object.keys(config)))]
    const value = fc.oneof(
      fc.constantFrom(null, true, false, 0, -1, 1, 1.5, 2 ** 40, 1e308, '', 'silu', 'default', [], {}),
      fc.jsonValue(),
      fc.record({ rope_type: fc.constantFrom('linear', 'llama3', 'yarn', 'dynamic'), factor: fc.jsonValue() }),
    )
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(PUBLISHED)),
        fc.dictionary(fc.constantFrom(...keys, 'layer_types', 'rope_parameters', 'num_labels'), value, { maxKeys: 3 }),
        (name, change) => {
          try {
            const config = read(name, change)
            expect(config.layers).toBeLessThanOrEqual(10_000)
            expect(fromHuggingFace(JSON.parse(JSON.stringify(toHuggingFace(config, 'causal'))))).toEqual(config)
          } catch (error) {
            if (!(error instanceof EmendError)) throw error
            expect(error.message).toMatch(/^x\.json: [^\n]+$/)
          }
        },
      ),
      { numRuns: 2000, seed: 1 },
    )
  })
})
