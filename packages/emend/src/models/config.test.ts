import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decoderConfig } from './config.js'
import { fromHuggingFace, toHuggingFace } from './families/index.js'

const golden = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../goldens/llama/${name}/config.json`, import.meta.url), 'utf8'))

describe('Hugging Face config', () => {
  it('reads what transformers wrote', () => {
    expect(fromHuggingFace(golden('untied'))).toMatchObject({
      family: 'llama',
      vocabSize: 64,
      hiddenSize: 16,
      intermediateSize: 24,
      layers: 1,
      heads: 4,
      kvHeads: 2,
      headDim: 8,
      ropeTheta: 500,
      normEps: 1e-3,
      tied: false,
      maxPositions: 64,
      bos: 1,
      eos: [3, 2],
      pad: 0,
    })
  })

  it('writes every key transformers writes, with the same value', () => {
    for (const name of ['tied', 'untied']) {
      const theirs = golden(name)
      const ours = toHuggingFace(fromHuggingFace(theirs), 'causal')
      for (const key of ['initializer_range', 'transformers_version', 'pretraining_tp']) delete theirs[key]
      expect(ours).toMatchObject(theirs)
    }
  })

  it('reads rope_theta where transformers 4 put it, and its defaults', () => {
    const { rope_parameters, head_dim, num_key_value_heads, rms_norm_eps, ...old } = golden('tied')
    const config = fromHuggingFace({ ...old, rope_theta: 123 })
    expect(config).toMatchObject({ ropeTheta: 123, headDim: 8, kvHeads: 4, normEps: 1e-6 })
    expect([rope_parameters, head_dim, num_key_value_heads, rms_norm_eps]).not.toContain(undefined)
  })

  it.each([
    [{ model_type: 'mixtral' }, 'x.json: model_type "mixtral" is not supported, only llama, mistral, qwen2'],
    [{ model_type: undefined }, 'x.json: model_type nothing is not supported'],
    [{ attention_bias: 'yes' }, 'x.json: attention_bias: got "yes", expected true or false'],
    [{ hidden_act: 'relu2' }, 'x.json: hidden_act "relu2" is not supported, only silu, swish, gelu'],
    [{ quantization_config: { bits: 4 } }, 'x.json: quantization_config {"bits":4} is not supported, only null'],
    [{ sliding_window: 7 }, 'x.json: sliding_window 7 is not supported, only null'],
    [{ partial_rotary_factor: 0.5 }, 'x.json: partial_rotary_factor 0.5 is not supported, only 1'],
    [{ rope_scaling: { type: 'linear' } }, 'x.json: rope_scaling: factor: got nothing, expected a number'],
    [{ rope_scaling: 'linear' }, 'x.json: rope_scaling: got string, expected a JSON object'],
    [
      { rope_parameters: { rope_type: 'longrope' } },
      'x.json: rope_parameters.rope_type "longrope" is not supported, only default, linear, dynamic, llama3 and yarn',
    ],
    [{ num_hidden_layers: 1e9 }, 'x.json: decoder config: layers: got 1000000000, expected at most 10000'],
    [{ vocab_size: undefined }, 'x.json: vocab_size: got nothing, expected a number'],
    [{ num_hidden_layers: '2' }, 'x.json: num_hidden_layers: got "2", expected a number'],
    [{ num_key_value_heads: 3 }, 'x.json: decoder config: heads 4 is no multiple of kvHeads 3'],
    [{ eos_token_id: 64 }, 'x.json: decoder config: special token 64 is outside the vocabulary of 64'],
  ])('refuses %j by name', (change, message) => {
    expect(() => fromHuggingFace({ ...golden('tied'), ...change }, 'x.json')).toThrow(message)
  })
})

describe('decoderConfig', () => {
  it('fills in the rest: 8/3 of 128 is 341.3, rounded up to a multiple of 16', () => {
    const config = decoderConfig({ vocabSize: 100, hiddenSize: 128, layers: 3, heads: 4 })
    expect(config).toMatchObject({ intermediateSize: 352, kvHeads: 4, headDim: 32, tied: true, eos: [] })
  })

  it('names what cannot be', () => {
    const shape = { vocabSize: 100, hiddenSize: 128, layers: 3, heads: 4 }
    expect(() => decoderConfig({ ...shape, layers: 0 })).toThrow('layers: got 0, expected a whole number from 1')
    expect(() => decoderConfig({ ...shape, heads: 3 })).toThrow('headDim: got 42.6')
    expect(() => decoderConfig({ ...shape, headDim: 3 })).toThrow('headDim: got 3, expected an even number')
  })
})
