/** AdamW on libtorch's fused kernel, which segfaults on lists that do not match: so every list is checked here first. */

import { keep, noGrad, scope } from '../scope.js'
import type { Tensor } from '../tensor.js'
import { torch } from '../torch.js'

/** Hyperparameters, with PyTorch's names, meanings and defaults. */
export interface AdamWOptions {
  readonly lr: number
  /** Decay of the running means of the gradient and of its square. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number]
  /** Added to the root of the mean square. Default 1e-8. */
  readonly eps?: number
  /** Decoupled weight decay: each step multiplies a weight by 1 - lr · weightDecay. Default 0.01. */
  readonly weightDecay?: number
}

/** What a checkpoint holds of an AdamW. */
export interface AdamWState {
  /** Steps done. */
  readonly step: number
  /** `NAME.exp_avg`, `NAME.exp_avg_sq` (like the parameter) and `NAME.step` (one float32) for every parameter stepped. */
  readonly tensors: Map<string, Tensor>
}

interface Moments {
  readonly mean: Tensor
  readonly square: Tensor
  readonly step: Tensor
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019, algorithm 2), the numbers of torch.optim.AdamW.
 * A parameter without a gradient is skipped and its own step count stands still. Two or three native calls a step,
 * however many parameters there are.
 */
export class AdamW {
  /** The learning rate of the next step; a schedule assigns it. */
  lr: number
  readonly betas: readonly [number, number]
  readonly eps: number
  readonly weightDecay: number
  readonly #params: Map<string, Tensor>
  readonly #moments = new Map<string, Moments>()
  #step = 0

  /** @throws RangeError when a number is outside its range, TypeError when a tensor cannot be optimised */
  constructor(params: ReadonlyMap<string, Tensor>, options: AdamWOptions) {
    if (!(params instanceof Map)) {
      throw new TypeError('AdamW: params: expected a Map from names to tensors, as parameters() of a module gives')
    }
    const { lr, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0.01 } = options
    checkNumber('lr', lr, lr >= 0, 'at least 0')
    checkNumber('betas[0]', betas[0], betas[0] >= 0 && betas[0] < 1, 'in [0, 1)')
    checkNumber('betas[1]', betas[1], betas[1] >= 0 && betas[1] < 1, 'in [0, 1)')
    checkNumber('eps', eps, eps >= 0, 'at least 0')
    checkNumber('weightDecay', weightDecay, weightDecay >= 0, 'at least 0')
    if (params.size === 0) throw new TypeError('AdamW: got no parameters')
    for (const [name, tensor] of params) {
      if (!tensor.requiresGrad) throw new TypeError(`AdamW: ${name}: got a tensor without requiresGrad`)
      if (!tensor.dtype.includes('float')) {
        throw new TypeError(`AdamW: ${name}: got ${tensor.dtype}, expected a floating-point dtype`)
      }
      if (!tensor.is_contiguous()) throw new TypeError(`AdamW: ${name}: got a strided view, expected a contiguous tensor`)
    }
    this.lr = lr
    this.betas = betas
    this.eps = eps
    this.weightDecay = weightDecay
    this.#params = new Map(params)
  }

  /** Updates every parameter that has a gradient, in place. @throws RangeError when `lr` is not a finite number ≥ 0 */
  step(): void {
    checkNumber('lr', this.lr, this.lr >= 0, 'at least 0')
    scope(() =>
      noGrad(() => {
        // The fused kernel takes one device and dtype a call.
        const groups = new Map<string, Group>()
        for (const [name, weight] of this.#params) {
          const gradient = weight.grad
          if (!gradient) continue
          // Another handle may have changed what the weight is since the last step.
          weight.forget()
          if (!weight.is_contiguous())
            throw new TypeError(`AdamW: ${name}: became a strided view, expected a contiguous tensor`)
          // The kernel walks memory from the first element on, whatever the strides say.
          const dense = gradient.contiguous()
          dense.forget()
          checkLike(name, 'gradient', dense, weight)
          const { mean, square, step } = this.#momentsOf(name, weight)
          checkLike(name, 'exp_avg', mean, weight)
          checkLike(name, 'exp_avg_sq', square, weight)
          const key = `${weight.device} ${weight.dtype}`
          let group = groups.get(key)
          if (!group) groups.set(key, (group = { weights: [], gradients: [], means: [], squares: [], steps: [] }))
          group.weights.push(weight)
          group.gradients.push(dense)
          group.means.push(mean)
          group.squares.push(square)
          group.steps.push(step)
        }
        for (const { weights, gradients, means, squares, steps } of groups.values()) {
          torch.unsafe.call('aten::_foreach_add_', 'Scalar', steps, 1)
          torch.unsafe.call('aten::_fused_adamw_', '', weights, gradients, means, squares, [], steps, {
            lr: this.lr,
            beta1: this.betas[0],
            beta2: this.betas[1],
            weight_decay: this.weightDecay,
            eps: this.eps,
            amsgrad: false,
            maximize: false,
          })
        }
      }),
    )
    this.#step++
  }

  /** Forgets the gradients. */
  zeroGrad(): void {
    for (const weight of this.#params.values()) weight.grad = null
  }

  /** The state, for a checkpoint; the tensors are the optimizer's own, not copies. */
  state(): AdamWState {
    const tensors = new Map<string, Tensor>()
    for (const [name, { mean, square, step }] of this.#moments) {
      tensors.set(`${name}.exp_avg`, mean)
      tensors.set(`${name}.exp_avg_sq`, square)
      tensors.set(`${name}.step`, step)
    }
    return { step: this.#step, tensors }
  }

  /**
   * Takes up a state: afterwards the next step is bit for bit the one that the saved optimizer would have made.
   * The values are copied, and nothing is changed unless everything fits.
   * @throws Error naming the keys that are missing or unexpected, or a shape or dtype that differs
   */
  load(state: AdamWState): void {
    if (!Number.isSafeInteger(state.step) || state.step < 0) {
      throw new Error(`AdamW.load: step: got ${state.step}, expected a whole number of at least 0`)
    }
    const names = new Set<string>()
    for (const key of state.tensors.keys()) {
      const name = key.replace(/\.(exp_avg|exp_avg_sq|step)$/, '')
      if (name === key || !this.#params.has(name)) throw new Error(`AdamW.load: unexpected ${key}`)
      names.add(name)
    }
    for (const name of names) {
      const weight = this.#params.get(name)!
      for (const part of ['exp_avg', 'exp_avg_sq', 'step'] as const) {
        const value = state.tensors.get(`${name}.${part}`)
        if (!value) throw new Error(`AdamW.load: missing ${name}.${part}`)
        const shape = part === 'step' ? [] : weight.shape
        const dtype = part === 'step' ? 'float32' : weight.dtype
        if (value.shape.join() !== shape.join() || value.dtype !== dtype) {
          throw new Error(
            `AdamW.load: ${name}.${part}: got ${value.dtype} [${value.shape}], expected ${dtype} [${shape}]`,
          )
        }
      }
    }
    scope(() =>
      noGrad(() => {
        for (const name of [...this.#moments.keys()]) if (!names.has(name)) this.#forget(name)
        for (const name of names) {
          const own = this.#momentsOf(name, this.#params.get(name)!)
          own.mean.copy_(state.tensors.get(`${name}.exp_avg`)!)
          own.square.copy_(state.tensors.get(`${name}.exp_avg_sq`)!)
          own.step.copy_(state.tensors.get(`${name}.step`)!)
        }
      }),
    )
    this.#step = state.step
  }

  /** Frees the state; the parameters are not the optimizer's to free. */
  dispose(): void {
    for (const name of [...this.#moments.keys()]) this.#forget(name)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #momentsOf(name: string, weight: Tensor): Moments {
    let moments = this.#moments.get(name)
    if (!moments) {
      moments = {
        mean: keep(torch.zeros_like(weight)),
        square: keep(torch.zeros_like(weight)),
        step: keep(torch.zeros([], { dtype: 'float32', device: weight.device })),
      }
      this.#moments.set(name, moments)
    }
    return moments
  }

  #forget(name: string): void {
    const { mean, square, step } = this.#moments.get(name)!
    mean.dispose()
    square.dispose()
    step.dispose()
    this.#moments.delete(name)
  }
}

interface Group {
  readonly weights: Tensor[]
  readonly gradients: Tensor[]
  readonly means: Tensor[]
  readonly squares: Tensor[]
  readonly steps: Tensor[]
}

function checkLike(name: string, what: string, got: Tensor, weight: Tensor): void {
  if (got.dtype === weight.dtype && got.device === weight.device && got.shape.join() === weight.shape.join()) return
  throw new TypeError(
    `AdamW: ${name}: ${what}: got ${got.dtype} [${got.shape}] on ${got.device}, ` +
      `expected ${weight.dtype} [${weight.shape}] on ${weight.device}`,
  )
}

function checkNumber(name: string, value: number, good: boolean, expected: string): void {
  if (!(Number.isFinite(value) && good)) throw new RangeError(`AdamW: ${name}: got ${value}, expected ${expected}`)
}
