import { devices, memory, scope } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { decoderConfig } from './config.js'
import { scalarFrom } from './heads.js'
import { cloneDecoder, createDecoder } from './init.js'

const config = decoderConfig({ vocabSize: 300, hiddenSize: 64, intermediateSize: 128, layers: 2, heads: 4, kvHeads: 2 })

function moments(values: Float32Array): { mean: number; std: number } {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length
  return { mean, std: Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length) }
}

describe('createDecoder', () => {
  // 1/√64 = 0.125; into the residual stream 1/√(64·4) = 0.0625 and 1/√(128·4) = 0.0442; the sample's error is below 3 %
  it.each([
    ['model.embed_tokens.weight', 0.125],
    ['model.layers.1.self_attn.q_proj.weight', 0.125],
    ['model.layers.0.mlp.gate_proj.weight', 0.125],
    ['model.layers.0.self_attn.o_proj.weight', 0.0625],
    ['model.layers.1.mlp.down_proj.weight', 0.0442],
  ])('%s has standard deviation %d', (name, std) => {
    const model = createDecoder(config, 1)
    const got = moments(model.parameters().get(name)!.floats())
    expect(got.std / std).toBeGreaterThan(0.97)
    expect(got.std / std).toBeLessThan(1.03)
    expect(Math.abs(got.mean)).toBeLessThan(0.05 * std)
    expect([...model.parameters().get('model.norm.weight')!.floats()].every(x => x === 1)).toBe(true)
    model.dispose()
  })

  it('is a function of the seed and of each name: another depth leaves the tensors of layer 0 alone', () => {
    const [a, b] = [createDecoder(config, 1), createDecoder({ ...config, layers: 3 }, 1)]
    const of = (model: typeof a, name: string) => [...model.parameters().get(name)!.floats()]
    const name = 'model.layers.0.self_attn.q_proj.weight'
    expect(of(a, name)).toEqual(of(b, name))
    const c = createDecoder(config, 2)
    expect(of(c, name)).not.toEqual(of(a, name))
    expect(of(a, name)).not.toEqual(of(a, 'model.layers.1.self_attn.q_proj.weight'))
    for (const model of [a, b, c]) model.dispose()
  })

  it.each(devices())('gives %s the same values', device => {
    const [a, b] = [createDecoder(config, 1), createDecoder(config, 1, { device })]
    for (const [name, tensor] of b.parameters()) expect(tensor.floats()).toEqual(a.parameters().get(name)!.floats())
    for (const model of [a, b]) model.dispose()
  })
})

describe('copies', () => {
  it('a clone has equal weights of its own', () => {
    const model = createDecoder(config, 1)
    model.vocabulary = 290
    const clone = cloneDecoder(model)
    expect(clone.vocabulary).toBe(290)
    const theirs = clone.parameters()
    for (const [name, tensor] of model.parameters()) expect(theirs.get(name)!.floats()).toEqual(tensor.floats())
    scope(() => void model.model.norm.weight.detach().fill_(3))
    expect(theirs.get('model.norm.weight')!.floats()[0]).toBe(1)
    for (const each of [model, clone]) each.dispose()
  })

  it('a scalar model takes the trunk and has a head of standard deviation 1/√(D+1), bias 0', () => {
    const before = memory().tensors
    const wide = createDecoder(
      { ...config, hiddenSize: 2048, headDim: 4, layers: 1, intermediateSize: 8, vocabSize: 8 },
      1,
    )
    const scalar = scalarFrom(wide, 7)
    expect([...scalar.parameters().keys()].slice(-2)).toEqual(['score.weight', 'score.bias'])
    const head = scalar.parameters()
    expect(moments(head.get('score.weight')!.floats()).std * Math.sqrt(2049)).toBeCloseTo(1, 1)
    expect([...head.get('score.bias')!.floats()]).toEqual([0])
    for (const [name, tensor] of wide.parameters()) expect(head.get(name)!.floats()).toEqual(tensor.floats())
    for (const each of [wide, scalar]) each.dispose()
    expect(memory().tensors).toBe(before)
  })
})
