import { keep, scope, type Tensor, tensor } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { annealed, NonFiniteError, type Part, Trainer } from './trainer.js'

const weight = (...values: number[]): Tensor => {
  const w = keep(tensor(values, { dtype: 'float64' }))
  w.requiresGrad = true
  return w
}
const options = { name: 'sft', lr: 0.1, schedule: () => 1, maxGradNorm: 100, eps: 1e-12 }
/** Σ_i w · x_i, named after the place of each x in the batch. */
const part = (w: Tensor, xs: number[][], first = 0): Part => ({
  samples: xs.map((_, i) => first + i),
  loss: () => xs.map(x => w.mul(tensor(x, { dtype: 'float64' })).sum()).reduce((sum, loss) => sum.add(loss)),
})

describe('Trainer', () => {
  // w = (1, 2), x = (3, 0), (0, 4), (3, 4): losses 3, 8, 11; mean over 3: 22/3; gradient (6, 8)/3, norm 10/3.
  it('steps on Σ loss / weight: the numbers worked out by hand, however the batch is cut', () => {
    const xs = [[3, 0], [0, 4], [3, 4]] // biome-ignore format: one line reads better
    for (const cut of [[xs], [xs.slice(0, 1), xs.slice(1)], xs.map(x => [x])]) {
      const w = weight(1, 2)
      const trainer = new Trainer(new Map([['w', w]]), options)
      const { loss, gradNorm, lr } = trainer.step(
        cut.map(each => part(w, each)),
        3,
      )
      expect(loss).toBeCloseTo(22 / 3, 12)
      expect(gradNorm).toBeCloseTo(10 / 3, 6)
      expect(lr).toBe(0.1)
      // Adam's first step is lr in the direction of the sign.
      expect((w.tolist() as number[])[0]).toBeCloseTo(0.9, 9)
      expect((w.tolist() as number[])[1]).toBeCloseTo(1.9, 9)
      expect(trainer.steps).toBe(1)
    }
  })

  it('tells the norm of the whole gradient before it is clipped', () => {
    const [a, b] = [weight(1), weight(1)]
    const trainer = new Trainer(new Map([['a', a], ['b', b]]), { ...options, maxGradNorm: 1 }) // biome-ignore format: as above
    const { gradNorm } = trainer.step([{ samples: [0], loss: () => a.mul(30).add(b.mul(40)).sum() }], 1)
    expect(gradNorm).toBeCloseTo(50, 5)
    expect(a.grad?.item()).toBeCloseTo(0.6, 6)
  })

  it('takes its learning rate from the schedule, skipped steps counted', () => {
    const w = weight(1)
    const trainer = new Trainer(new Map([['w', w]]), { ...options, schedule: annealed(2, 6) })
    const lr = () => trainer.step([part(w, [[1]])], 1).lr
    // A rise over two steps, then 4/4, 3/4, 2/4, 1/4 of the way to 0.
    expect([lr(), lr(), lr(), lr()].map(x => x.toFixed(6))).toEqual(['0.050000', '0.100000', '0.100000', '0.075000'])
    trainer.skip(1)
    expect(lr()).toBeCloseTo(0.025, 12)
    expect(lr()).toBe(0)
  })

  it('has a schedule for runs shorter than the warm-up', () => {
    const schedule = annealed(10, 4)
    expect([0, 1, 3, 4].map(schedule)).toEqual([0.25, 0.5, 1, 0])
    expect(annealed(5, 0)(0)).toBe(0)
  })

  it('given back its state, makes the very step it would have made', () => {
    const make = () => {
      const w = weight(1, 2)
      return { w, trainer: new Trainer(new Map([['w', w]]), { ...options, schedule: annealed(0, 10) }) }
    }
    const one = make()
    for (const x of [3, -1, 0.5]) one.trainer.step([part(one.w, [[x, 1]])], 1)
    const other = make()
    scope(() => {
      other.trainer.load(one.trainer.state())
      other.w.detach().copy_(one.w.detach())
    })
    const steps = [one, other].map(({ w, trainer }) => ({ ...trainer.step([part(w, [[0.1, 7]])], 1), w: w.tolist() }))
    expect(steps[1]).toEqual(steps[0])
    // 3 of 10 steps were made
    expect(steps[1]?.lr).toBeCloseTo(0.07, 12)
  })

  describe('before anything is updated', () => {
    const trained = () => {
      const w = weight(1, 2)
      const trainer = new Trainer(new Map([['norm.weight', weight(5)], ['w', w]]), options) // biome-ignore format: as above
      trainer.step([part(w, [[1, 1]])], 1)
      const look = () => [
        w.tolist(),
        trainer.steps,
        [...trainer.state().tensors!].map(([name, t]) => [name, t.tolist()]),
      ]
      return { w, trainer, look, before: look() }
    }

    it('refuses a loss that is no number, naming step and samples', () => {
      const { w, trainer, look, before } = trained()
      const parts = [part(w, [[1, 1]]), part(w, [[1, 2], [Number.NaN, 0]], 7)] // biome-ignore format: as above
      expect(() => trainer.step(parts, 2)).toThrow(NonFiniteError)
      expect(() => trainer.step(parts, 2)).toThrow('sft: the loss is NaN at step 1 in samples 7, 8')
      expect(look()).toEqual(before)
    })

    it('refuses a gradient that is not finite, naming step, tensor and samples', () => {
      const { w, trainer, look, before } = trained()
      // The root's slope at 0 is infinite, its value is not.
      const broken = { samples: [3], loss: () => w.mul(0).sqrt().sum() }
      expect(() => trainer.step([broken], 1)).toThrow(NonFiniteError)
      expect(() => trainer.step([broken], 1)).toThrow(
        /sft: the gradient of w is not finite \(norm (NaN|Infinity)\) at step 1 in samples 3$/,
      )
      expect(look()).toEqual(before)
      trainer.step([part(w, [[1, 1]])], 1)
      expect(trainer.steps).toBe(2)
    })
  })
})
