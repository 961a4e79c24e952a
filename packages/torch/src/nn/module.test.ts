import { describe, expect, it } from 'vitest'
import { devices, init, memory, nn, scope, type Tensor, tensor, torch } from '../index.js'

class Attention extends nn.Module {
  q_proj: nn.Linear
  k_proj: nn.Linear
  constructor(width: number) {
    super()
    this.q_proj = new nn.Linear(width, width, { bias: false })
    this.k_proj = new nn.Linear(width, width)
  }
}

class Model extends nn.Module {
  readonly name = 'not a tensor'
  embed_tokens: nn.Embedding
  layers: { self_attn: Attention }[] | Block[]
  norm: nn.RMSNorm
  lm_head: nn.Linear
  cosines: Tensor
  #cache: Tensor | null = null
  constructor(width = 2, depth = 2) {
    super()
    this.embed_tokens = new nn.Embedding(3, width)
    this.layers = Array.from({ length: depth }, () => new Block(width))
    this.norm = new nn.RMSNorm(width)
    this.lm_head = new nn.Linear(width, 3, { bias: false })
    this.lm_head.weight.dispose()
    this.lm_head.weight = this.embed_tokens.weight // tied
    this.cosines = torch.ones([4])
  }
  get cache() {
    return (this.#cache ??= torch.ones([2]))
  }
}

class Block extends nn.Module {
  self_attn: Attention
  constructor(width: number) {
    super()
    this.self_attn = new Attention(width)
  }
}

const names = [
  'embed_tokens.weight',
  'layers.0.self_attn.q_proj.weight',
  'layers.0.self_attn.k_proj.weight',
  'layers.0.self_attn.k_proj.bias',
  'layers.1.self_attn.q_proj.weight',
  'layers.1.self_attn.k_proj.weight',
  'layers.1.self_attn.k_proj.bias',
  'norm.weight',
]

describe('Module', () => {
  it("names parameters by their path, as PyTorch's state dict does, a tied one once", () => {
    const model = new Model()
    expect([...model.parameters().keys()]).toEqual(names)
    expect([...model.stateDict().keys()]).toEqual(names)
    expect(model.size).toBe(3 * 2 + 2 * (4 + 4 + 2) + 2)
    expect(model.parameters().get('layers.1.self_attn.k_proj.bias')!.requiresGrad).toBe(true)
  })

  it('freezes: the state dict keeps what is not trained', () => {
    const model = new Model()
    const blocks = model.layers as Block[]
    blocks[0]!.freeze()
    expect([...model.stateDict().keys()]).toEqual(names)
    expect([...model.trainable().keys()]).toEqual(names.filter(name => !name.startsWith('layers.0')))
    blocks[0]!.freeze(false)
    expect(model.trainable().size).toBe(names.length)
  })

  it('copies a state dict: converted, all or nothing', () => {
    const source = new Model()
    for (const [i, weight] of [...source.parameters().values()].entries()) init.normal_(weight, 1, [i])
    const target = new Model()
    const state = new Map([...source.stateDict()].map(([name, t]) => [name, t.detach().to('float64')]))
    expect(target.loadStateDict(state)).toEqual({ missing: [], unexpected: [] })
    for (const [name, weight] of target.parameters()) {
      expect([...weight.floats()]).toEqual([...source.parameters().get(name)!.floats()])
      expect(weight.dtype).toBe('float32')
      expect(weight.requiresGrad).toBe(true)
    }

    const broken = new Map(state)
    broken.set('embed_tokens.weight', tensor([[9, 9]]))
    broken.set('norm.weight', tensor([9, 9]))
    broken.delete('layers.0.self_attn.q_proj.weight')
    broken.set('lm_head.weight', tensor([1]))
    expect(() => target.loadStateDict(broken)).toThrow(
      'Model.loadStateDict: missing layers.0.self_attn.q_proj.weight; unexpected lm_head.weight; ' +
        'embed_tokens.weight: got shape [1,2], expected [3,2]',
    )
    expect([...target.norm.weight.floats()]).toEqual([...source.norm.weight.floats()])
    broken.delete('embed_tokens.weight')
    expect(target.loadStateDict(broken, { strict: false })).toEqual({
      missing: ['embed_tokens.weight', 'layers.0.self_attn.q_proj.weight'],
      unexpected: ['lm_head.weight'],
    })
    expect([...target.norm.weight.floats()]).toEqual([9, 9])
  })

  it('converts in place: parameters change their dtype, tied ones stay tied, others keep theirs', () => {
    const model = new Model()
    const before = model.norm.weight
    model.freeze().to('bfloat16')
    expect(before.disposed).toBe(true)
    expect(model.norm.weight.dtype).toBe('bfloat16')
    expect(model.lm_head.weight).toBe(model.embed_tokens.weight)
    expect(model.cosines.dtype).toBe('float32')
    expect([...model.parameters().keys()]).toEqual(names)
    expect(model.trainable().size).toBe(0)
    model.freeze(false).to('float32')
    expect(model.trainable().size).toBe(names.length)
  })

  it.each(devices())('moves to %s', device => {
    const model = new Model().to(device)
    for (const weight of model.parameters().values()) expect(weight.device).toBe(device)
    expect(model.cosines.device).toBe(device)
  })

  it('survives the scope that made it, and frees everything when disposed', () => {
    const before = memory().tensors
    const model = scope(() => {
      const made = new Model()
      made.cosines.dispose()
      return made
    })
    expect(memory().tensors).toBe(before + names.length)
    expect(model.norm.weight.tolist()).toEqual([1, 1])
    model.dispose()
    expect(memory().tensors).toBe(before)
  })
})
