import { grad, nn, noGrad, scope, type Tensor, tensor, torch } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import {
  Adapter,
  adaptedDecoder,
  adaptedScalar,
  adaptedValue,
  createDecoder,
  decoderConfig,
  logprobs,
  mergeAdapter,
  pack,
} from './index.js'
import { Projection, scaledLinear } from './projection.js'

/** One linear map of two numbers, the identity, inside a layer. */
class Stub extends nn.Module {
  readonly layers: readonly nn.Module[]
  readonly projection = new Projection(2, 2, { bias: false })

  constructor() {
    super()
    const layer = new (class extends nn.Module {})() as nn.Module & { q_proj?: Projection }
    layer.q_proj = this.projection
    this.layers = [layer]
    noGrad(() => this.projection.weight.copy_(torch.eye(2)))
  }
}

/** A = [1 2], B = [3 4]ᵀ, s = 2: what is added for x is 2 (x₁ + 2 x₂) · [3 4]. */
function byHand(): [Stub, Adapter] {
  const stub = new Stub()
  const adapter = new Adapter(stub, { rank: 1, alpha: 2, targets: ['layers.0.q_proj'] }, 1)
  const weights = adapter.parameters()
  noGrad(() => {
    // The stub's own property comes first in the walk, so the adapter has its name from there or from the layer.
    for (const [name, weight] of weights) weight.copy_(tensor(name.endsWith('A.weight') ? [[1, 2]] : [[3], [4]]))
  })
  return [stub, adapter]
}

describe('one linear map, by hand', () => {
  it('adds s · B (A x)', () => {
    const [{ projection }, adapter] = byHand()
    const x = tensor([[1, 1]])
    expect(projection.forward(x).tolist()).toEqual([[1, 1]])
    expect(adapter.active(() => projection.forward(x)).tolist()).toEqual([[19, 25]])
    expect(projection.forward(x).tolist()).toEqual([[1, 1]])
  })

  it.each([1, 8])('reads x ⊙ scale, with %i rows', rows => {
    const [{ projection }, adapter] = byHand()
    const x = torch.ones([rows, 2])
    const [y] = adapter.active(() => scaledLinear(x, tensor([2, 0.5]), [projection]))
    // x ⊙ scale = [2 ½], A of it = 3, 2 · 3 · [3 4] = [18 24]
    for (const row of y!.tolist() as number[][]) expect(row).toEqual([20, 24.5])
  })

  it('is scaled by alpha / rank, or alpha / √rank', () => {
    const change = (rslora: boolean) => {
      const stub = new Stub()
      const adapter = new Adapter(stub, { rank: 4, alpha: 2, targets: ['q_proj'], rslora }, 1)
      noGrad(() => {
        for (const weight of adapter.parameters().values()) weight.fill_(1)
      })
      return adapter.change(adapter.names[0]!).tolist()
    }
    // B A of ones is 4 everywhere; 2 / 4 and 2 / 2 of it
    expect(change(false)).toEqual([
      [2, 2],
      [2, 2],
    ])
    expect(change(true)).toEqual([
      [4, 4],
      [4, 4],
    ])
  })

  it('puts back what was in place, after an error too', () => {
    const [{ projection }, adapter] = byHand()
    adapter.active(() => {
      const before = projection.addition
      expect(() =>
        adapter.active(() => {
          throw new Error('inside')
        }),
      ).toThrow('inside')
      expect(projection.addition).toBe(before)
    })
    expect(projection.addition).toBeNull()
  })
})

const config = decoderConfig({ vocabSize: 20, hiddenSize: 16, layers: 2, heads: 4, kvHeads: 2, maxPositions: 32 })
const exact = { dtype: 'float64' } as const
const lora = { rank: 3, alpha: 6, targets: ['all-linear'] }
const batch = () => pack([Int32Array.of(1, 2, 3), Int32Array.of(4)], [Int32Array.of(5, 6, 7, 8), Int32Array.of(9, 10)])

/** Fills B, which starts at 0, so that the adapter changes something. */
function stir(model: nn.Module): void {
  const generator = (i: number) => Math.sin(12.9898 * i + 78.233) / 4
  for (const [name, weight] of model.trainable()) {
    if (!name.includes('lora_B')) continue
    const values = Float64Array.from({ length: weight.numel }, (_, i) => generator(i + name.length))
    noGrad(() => weight.copy_(tensor(values, { shape: weight.shape })))
  }
}

const loss = (model: ReturnType<typeof createDecoder>): Tensor =>
  logprobs(model, batch(), { temperature: 1 }).logprobs.sum()
const logits = (model: ReturnType<typeof createDecoder>) =>
  noGrad(() => scope(() => model.logits(model.hidden(batch().ids)).floats()))

describe('a decoder', () => {
  it('starts as its base, and only the adapter is trained', () => {
    const base = createDecoder(config, 1)
    const before = logits(base)
    const model = adaptedDecoder(base, lora, 2)
    expect(logits(model)).toEqual(before)
    const names = [...model.trainable().keys()]
    expect(names).toHaveLength(2 * 7 * 2)
    expect(
      names.every(name => /^model\.adapter\.layers\.\d\.(self_attn|mlp)\.\w+_proj\.lora_[AB]\.weight$/.test(name)),
    ).toBe(true)
    expect(base.trainable().size).toBe(0)
    for (const [name, weight] of model.trainable()) {
      const values = [...weight.floats()]
      if (name.includes('lora_B')) expect(Math.max(...values.map(Math.abs))).toBe(0)
      else expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(weight.shape[1]!))
    }
  })

  it('has the gradient of the merged weights: dB = s G Aᵀ, dA = s Bᵀ G', () => {
    const base = createDecoder(config, 1, exact)
    const model = adaptedDecoder(base, lora, 2)
    stir(model)
    const merged = mergeAdapter(model)
    expect(loss(model).item()).toBeCloseTo(loss(merged).item(), 10)
    loss(model).backward()
    const weights = merged.parameters()
    const names = model.model.adapter!.names
    const gradients = grad(
      loss(merged),
      names.map(name => weights.get(`model.${name}.weight`)!),
    )
    const own = model.trainable()
    for (const [i, name] of names.entries()) {
      const a = own.get(`model.adapter.${name}.lora_A.weight`)!
      const b = own.get(`model.adapter.${name}.lora_B.weight`)!
      const G = gradients[i]!
      noGrad(() => {
        expect(b.grad!.sub(G.mm(a.t()).mul(2)).abs().max().item(), name).toBeLessThan(1e-10)
        expect(a.grad!.sub(b.t().mm(G).mul(2)).abs().max().item(), name).toBeLessThan(1e-10)
      })
    }
  })

  it('shares its weights with others that read them through adapters of their own', () => {
    const base = createDecoder(config, 1)
    const before = logits(base)
    const one = adaptedDecoder(base, lora, 2)
    const two = adaptedDecoder(base, { rank: 1, alpha: 1, targets: ['v_proj'] }, 3)
    stir(one)
    const ofOne = logits(one)
    expect(ofOne).not.toEqual(before)
    expect(logits(two)).toEqual(before)
    stir(two)
    expect(logits(one)).toEqual(ofOne)
    expect(logits(base)).toEqual(before)
    expect(one.model.layers).toBe(base.model.layers)
  })

  it('draws the same adapter for the same key, whatever the order of the targets', () => {
    const base = createDecoder(config, 1)
    const drawn = (targets: string[], key: number) =>
      [...adaptedDecoder(base, { rank: 2, alpha: 2, targets }, key).trainable()].map(([name, w]) => [name, w.tolist()])
    expect(drawn(['q_proj', 'up_proj'], 5)).toEqual(drawn(['up_proj', 'q_proj'], 5))
    expect(drawn(['q_proj', 'up_proj'], 5)).not.toEqual(drawn(['q_proj', 'up_proj'], 6))
  })

  it('is float32 over a bfloat16 base', () => {
    const model = adaptedDecoder(createDecoder(config, 1, { dtype: 'bfloat16' }), lora, 2)
    for (const weight of model.trainable().values()) expect(weight.dtype).toBe('float32')
    stir(model)
    loss(model).backward()
    for (const [name, weight] of model.trainable()) expect(weight.grad?.dtype, name).toBe('float32')
  })

  it('refuses what is no adapter', () => {
    const base = createDecoder(config, 1)
    const refused = (change: object) => () => adaptedDecoder(base, { ...lora, ...change }, 1)
    expect(refused({ rank: 0 })).toThrow('lora: rank: got 0, expected a whole number from 1')
    expect(refused({ alpha: NaN })).toThrow('lora: alpha: got NaN, expected a positive number')
    expect(refused({ targets: ['lm_head'] })).toThrow(
      "got 'lm_head', which is no linear map inside the layers; there are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj",
    )
    expect(refused({ targets: [] })).toThrow('lora: targets: got none')
    expect(() => adaptedScalar(adaptedDecoder(base, lora, 1), lora, 1)).toThrow('merge that one first')
  })
})

describe('scalar models', () => {
  it('have a head of their own; a value model starts at 0 with the adapter of the reward model', () => {
    const base = createDecoder(config, 1)
    const reward = adaptedScalar(base, lora, 4)
    stir(reward)
    const value = adaptedValue(base, reward, lora, 5)
    const { ids } = batch()
    expect([...noGrad(() => value.scores(ids)).floats()].every(x => x === 0)).toBe(true)
    const adapterOf = (model: typeof reward) => [...model.model.adapter!.parameters().values()].map(w => w.tolist())
    expect(adapterOf(value)).toEqual(adapterOf(reward))
    expect([...reward.trainable().keys()].slice(-2)).toEqual(['score.weight', 'score.bias'])
    // Another rank cannot be taken over.
    const other = adaptedValue(base, reward, { ...lora, rank: 2 }, 5)
    expect(adapterOf(other)).not.toEqual(adapterOf(reward))
  })
})
