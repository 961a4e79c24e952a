import { keep, setNumThreads, type Tensor, tensor } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { sft, sftConfig } from '../algorithms/sft.js'
import { Run } from './run.js'
import { tinyDecoder, tinyExamples } from './tiny.fixture.js'
import { type Part, Trainer } from './trainer.js'

setNumThreads(1)

const half = (...values: number[]): Tensor => {
  const w = keep(tensor(values, { dtype: 'bfloat16' }))
  w.requiresGrad = true
  return w
}
const options = { name: 'sft', lr: 0.001, schedule: () => 1, maxGradNorm: 1e9, eps: 1e-12 }
const times = (w: Tensor, factor: number): Part => ({ samples: [0], loss: () => w.mul(factor).sum() })

describe('weights of bfloat16 and their masters', () => {
  // A constant gradient moves Adam by lr a step. Below 1 bfloat16 has steps of 2⁻⁸ = 0.0039: 0.999 rounds to 1, 0.998 to
  // 0.99609, and the middle to the next number, 0.99219, lies at 0.99414: between 0.995 and 0.994.
  it('gather steps that are smaller than the weight can tell', () => {
    const w = half(1)
    const trainer = new Trainer(new Map([['w', w]]), options)
    const seen = Array.from({ length: 6 }, () => {
      trainer.step([times(w, 1)], 1)
      return w.item()
    })
    expect(seen).toEqual([1, 0.99609375, 0.99609375, 0.99609375, 0.99609375, 0.9921875])
    const { tensors } = trainer.state()
    expect(tensors!.get('master.w')!.dtype).toBe('float32')
    expect(tensors!.get('master.w')!.item()).toBeCloseTo(0.994, 6)
    expect(tensors!.get('w.exp_avg')!.dtype).toBe('float32')
  })

  // 256 + 1 is 256 in bfloat16, which has eight digits.
  it('sum gradients over micro-batches in float32', () => {
    const w = half(1)
    const { gradNorm } = new Trainer(new Map([['w', w]]), options).step([times(w, 256), times(w, 1)], 1)
    expect(gradNorm).toBe(257)
    expect(w.grad).toBeNull()
  })

  it('go on from a checkpoint where they stood', () => {
    const [one, other] = [half(1), half(1)]
    const trainer = new Trainer(new Map([['w', one]]), options)
    for (let i = 0; i < 3; i++) trainer.step([times(one, 1)], 1)
    const resumed = new Trainer(new Map([['w', other]]), options)
    resumed.load(trainer.state())
    for (const [t, w] of [
      [trainer, one],
      [resumed, other],
    ] as const)
      for (let i = 0; i < 3; i++) t.step([times(w, 1)], 1)
    expect(resumed.state().tensors!.get('master.w')!.item()).toBe(trainer.state().tensors!.get('master.w')!.item())
    expect(other.item()).toBe(0.9921875)
    const { tensors, values } = trainer.state()
    const without = new Map([...tensors!].filter(([name]) => !name.startsWith('master.')))
    expect(() => resumed.load({ tensors: without, values: values! })).toThrow(
      'sft: the checkpoint has no float32 master of w',
    )
  })

  it('learn as float32 does', async () => {
    const last = async (dtype: 'float32' | 'bfloat16') => {
      const model = tinyDecoder().to(dtype)
      await sft(model, tinyExamples(40), sftConfig.parse({ epochs: 4, batch_size: 10, warmup_steps: 2 }), 1, new Run())
      const { loss } = new Trainer(model.trainable(), options).step([], 1)
      expect(loss).toBe(0)
      return [...model.parameters().get('model.norm.weight')!.floats()]
    }
    const [exact, rounded] = [await last('float32'), await last('bfloat16')]
    for (const [i, x] of exact.entries()) expect(Math.abs(x - rounded[i]!)).toBeLessThan(0.03)
    expect(exact.some(x => Math.abs(x - 1) > 0.01)).toBe(true)
  })
})
