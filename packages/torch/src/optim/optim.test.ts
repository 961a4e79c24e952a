import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { AdamW, clipGradNorm, devices, memory, nn, noGrad, type Tensor, tensor, torch } from '../index.js'

// Made by goldens/adamw.py with PyTorch's own AdamW (its plain loop) and clip_grad_norm_.
type Values = Record<string, number[] | null>
const golden = JSON.parse(readFileSync(new URL('../../goldens/adamw.json', import.meta.url), 'utf8')) as {
  shapes: Record<string, number[]>
  options: { lr: number; betas: [number, number]; eps: number; weightDecay: number }
  initial: Values
  steps: { lr: number; gradients: Values; after: Values }[]
  clip: { limit: number; norm: number; gradients: Values; after: Values }[]
}

describe.each(devices())('on %s', device => {
  const make = (values: Values): Map<string, Tensor> =>
    new Map(
      Object.entries(golden.shapes).map(([name, shape]) => [
        name,
        tensor(Float32Array.from(values[name]!), { shape, device, requiresGrad: true }),
      ]),
    )
  /** Gives every parameter its gradient the way training does: by backward. */
  const differentiate = (params: Map<string, Tensor>, gradients: Values) => {
    for (const [name, weight] of params) {
      const values = gradients[name]
      if (values)
        weight
          .mul(tensor(Float32Array.from(values), { shape: weight.shape, device }))
          .sum()
          .backward()
    }
  }
  const expectClose = (params: Map<string, Tensor>, expected: Values, read: (t: Tensor) => Tensor = t => t) => {
    for (const [name, weight] of params) {
      const got = read(weight).floats()
      for (const [i, value] of expected[name]!.entries()) expect(Math.abs(got[i]! - value)).toBeLessThan(1e-6)
    }
  }

  it("AdamW makes PyTorch's steps, skipping what has no gradient", () => {
    const params = make(golden.initial)
    const optimizer = new AdamW(params, golden.options)
    for (const { lr, gradients, after } of golden.steps) {
      optimizer.lr = lr
      optimizer.zeroGrad()
      differentiate(params, gradients)
      optimizer.step()
      expectClose(params, after)
    }
    const { step, tensors } = optimizer.state()
    expect(step).toBe(6)
    expect(tensors.get('scale.step')!.item()).toBe(6)
    expect(tensors.get('norm.weight.step')!.item()).toBe(5)
  })

  it('AdamW continues bit for bit from a saved state', () => {
    const run = (params: Map<string, Tensor>, optimizer: AdamW, from: number, to: number) => {
      for (const { gradients } of golden.steps.slice(from, to)) {
        optimizer.zeroGrad()
        differentiate(params, gradients)
        optimizer.step()
      }
    }
    const bits = (params: Map<string, Tensor>) =>
      [...params.values()].map(t => [...new Uint32Array(t.floats().buffer.slice(0))])
    const params = make(golden.initial)
    const optimizer = new AdamW(params, golden.options)
    run(params, optimizer, 0, 3)
    const saved = {
      step: optimizer.state().step,
      tensors: new Map([...optimizer.state().tensors].map(([name, t]) => [name, t.clone()])),
    }
    const values = Object.fromEntries([...params].map(([name, t]) => [name, [...t.floats()]]))
    run(params, optimizer, 3, 6)

    const other = make(values)
    const resumed = new AdamW(other, golden.options)
    resumed.load(saved)
    run(other, resumed, 3, 6)
    expect(bits(other)).toEqual(bits(params))
    expect(resumed.state().step).toBe(6)
  })

  it('AdamW takes no state that does not fit, and then changes nothing', () => {
    const params = make(golden.initial)
    const optimizer = new AdamW(params, golden.options)
    differentiate(params, golden.steps[0]!.gradients)
    optimizer.step()
    const { step, tensors } = optimizer.state()
    const before = [...tensors.get('scale.exp_avg')!.floats()]
    const load = (change: (state: Map<string, Tensor>) => void) => () => {
      const state = new Map(tensors)
      change(state)
      optimizer.load({ step, tensors: state })
    }
    expect(load(state => state.delete('scale.step'))).toThrow('AdamW.load: missing scale.step')
    expect(load(state => state.set('bias.step', tensor(1)))).toThrow('AdamW.load: unexpected bias.step')
    expect(load(state => state.set('scale.exp_avg', torch.zeros([2])))).toThrow(
      'AdamW.load: scale.exp_avg: got float32 [2], expected float32 []',
    )
    expect(load(state => state.set('norm.weight.exp_avg_sq', torch.zeros([5], { dtype: 'float64' })))).toThrow(
      'AdamW.load: norm.weight.exp_avg_sq: got float64 [5], expected float32 [5]',
    )
    expect([...optimizer.state().tensors.get('scale.exp_avg')!.floats()]).toEqual(before)
  })

  it('AdamW refuses what the fused kernel would crash on', () => {
    const weight = tensor([1, 2], { device, requiresGrad: true })
    const params = new Map([['weight', weight]])
    expect(() => new AdamW(new Map(), { lr: 1 })).toThrow('AdamW: got no parameters')
    expect(() => new AdamW([tensor([1])] as never, { lr: 1 })).toThrow(
      'AdamW: params: expected a Map from names to tensors',
    )
    expect(() => new AdamW(new Map([['w', tensor([1])]]), { lr: 1 })).toThrow(
      'AdamW: w: got a tensor without requiresGrad',
    )
    expect(() => new AdamW(params, { lr: Number.NaN })).toThrow('AdamW: lr: got NaN, expected at least 0')
    expect(() => new AdamW(params, { lr: 1, betas: [0.9, 1] })).toThrow('AdamW: betas[1]: got 1, expected in [0, 1)')
    const optimizer = new AdamW(params, { lr: 1 })
    optimizer.lr = Number.POSITIVE_INFINITY
    expect(() => optimizer.step()).toThrow('AdamW: lr: got Infinity, expected at least 0')
    weight.dispose()
    optimizer.lr = 1
    expect(() => optimizer.step()).toThrow(/freed/)
    const across = torch.zeros([3, 2], { device }).t().requires_grad_(true)
    expect(() => new AdamW(new Map([['across', across]]), { lr: 1 })).toThrow(
      'AdamW: across: got a strided view, expected a contiguous tensor',
    )
    const every = torch.zeros([6], { device }).as_strided([3], [2]).requires_grad_(true)
    expect(() => new AdamW(new Map([['every second', every]]), { lr: 1 })).toThrow('AdamW: every second: got a strided')
  })

  it('AdamW looks again at what became of a weight, by whatever handle', () => {
    const make = () => {
      const weight = nn.parameter(torch.zeros([4], { device }))
      const optimizer = new AdamW(new Map([['weight', weight]]), { lr: 1 })
      weight.grad = torch.ones([4], { device })
      optimizer.step()
      return { weight, optimizer }
    }
    const strided = make()
    noGrad(() => strided.weight.as_strided_([1000], [0]))
    strided.weight.grad = torch.ones([1000], { device })
    expect(() => strided.optimizer.step()).toThrow('AdamW: weight: became a strided view, expected a contiguous tensor')
    const shorter = make()
    noGrad(() => shorter.weight.as_strided_([2], [1]))
    shorter.weight.grad = torch.ones([2], { device })
    expect(() => shorter.optimizer.step()).toThrow('AdamW: weight: exp_avg: got float32 [4] on')
  })

  it('AdamW leaves no tensors behind', () => {
    const params = make(golden.initial)
    using optimizer = new AdamW(params, golden.options)
    const step = () => {
      differentiate(params, golden.steps[0]!.gradients)
      optimizer.step()
      optimizer.zeroGrad()
    }
    const before = memory().tensors
    optimizer.step()
    expect(memory().tensors).toBe(before)
    step()
    const { tensors } = memory()
    optimizer.step()
    expect(memory().tensors).toBe(tensors)
  })

  it("clipGradNorm scales by PyTorch's numbers", () => {
    for (const { limit, norm, gradients, after } of golden.clip) {
      const params = make(golden.initial)
      differentiate(params, gradients)
      expect(Math.abs(clipGradNorm(params.values(), limit) / norm - 1)).toBeLessThan(1e-6)
      expectClose(params, after, t => t.grad!)
    }
  })

  it('clipGradNorm by hand: 3-4-5, one without a gradient, one not finite', () => {
    const a = tensor([1], { device, requiresGrad: true })
    const b = tensor([1, 1], { device, requiresGrad: true })
    const c = tensor([1], { device, requiresGrad: true })
    expect(clipGradNorm([a, b, c], 1)).toBe(0)
    a.mul(3).sum().backward()
    b.mul(tensor([0, 4], { device }))
      .sum()
      .backward()
    expect(clipGradNorm([a, b, c], 10)).toBe(5)
    expect(a.grad!.tolist()).toEqual([3])
    expect(clipGradNorm([a, b, c], 1)).toBe(5)
    expect(a.grad!.item()).toBeCloseTo(0.6, 6)
    expect(b.grad!.tolist()).toEqual([0, expect.closeTo(0.8, 6)])
    b.mul(Number.POSITIVE_INFINITY).sum().backward()
    expect(clipGradNorm([a, b], 1)).toBe(Number.POSITIVE_INFINITY)
    expect(a.grad!.item()).toBeCloseTo(0.6, 6)
    expect(() => clipGradNorm([a], Number.NaN)).toThrow('clipGradNorm: maxNorm: got NaN, expected a number above 0')
  })

  it('clipGradNorm takes parameters of several dtypes together', () => {
    const a = tensor([1], { device, requiresGrad: true })
    const b = tensor([1], { dtype: 'float64', device, requiresGrad: true })
    a.mul(3).sum().backward()
    b.mul(4).sum().backward()
    expect(clipGradNorm([a, b], 2.5)).toBe(5)
    expect(a.grad!.item()).toBeCloseTo(1.5, 6)
    expect(b.grad!.item()).toBeCloseTo(2, 6)
  })
})
