/** The step that every algorithm shares: micro-batches, clipping, schedule, optimizer, and a check for non-finite numbers. */
import { AdamW, clipGradNorm, linear, memory, nn, noGrad, type Schedule, scope, type Tensor, torch } from '@emend/torch'
import { EmendError } from '../errors.js'
import { Tape } from '../models/recompute.js'
import type { State, Stateful } from './stateful.js'

/** One micro-batch: `loss()` is the *sum* of its losses (a scalar); `samples` names what is in it, for errors. */
export interface Part {
  readonly samples: readonly (string | number)[]
  loss(): Tensor
}

export interface TrainerOptions {
  /** Names the trained thing in errors and metrics. */
  readonly name: string
  readonly lr: number
  readonly schedule: Schedule
  readonly maxGradNorm: number
  readonly weightDecay?: number
  readonly betas?: readonly [number, number]
  /** Adam's ε. PPO's detail table says 1e-5. */
  readonly eps?: number
}

export interface StepStats {
  /** Σ of the parts' losses / weight. */
  readonly loss: number
  /** L2 norm of the whole gradient before clipping. */
  readonly gradNorm: number
  readonly lr: number
}

/** Rises over `warmup` steps (all of a shorter run), then falls linearly to 0 at `total`. */
export const annealed = (warmup: number, total: number): Schedule => linear({ warmup: Math.min(warmup, total), total })

/** What the name of a master begins with, in a checkpoint. */
const MASTER = 'master.'

/** A loss, a gradient or a reward stopped being a number; nothing was updated with it. */
export class NonFiniteError extends EmendError {}

export class Trainer implements Stateful, Disposable {
  readonly #optimizer: AdamW
  /** What the optimizer moves: the parameters, or where they are of half precision their masters in float32. */
  readonly #parameters: ReadonlyMap<string, Tensor>
  /** Weights of half precision and their masters (Micikevicius et al. 2018, arXiv 1710.03740, section 3.1). */
  readonly #halves: ReadonlyMap<string, { readonly weight: Tensor; readonly master: Tensor }>
  readonly #options: TrainerOptions
  #steps = 0
  #peak = 0

  /** @param parameters what is trained, in any floating-point dtype; each requires a gradient */
  constructor(parameters: ReadonlyMap<string, Tensor>, options: TrainerOptions) {
    this.#halves = new Map(
      [...parameters]
        .filter(([, { dtype }]) => dtype === 'bfloat16' || dtype === 'float16')
        .map(([name, weight]) => [name, { weight, master: nn.parameter(noGrad(() => weight.to('float32'))) }]),
    )
    this.#parameters = new Map(
      [...parameters].map(([name, weight]) => [name, this.#halves.get(name)?.master ?? weight]),
    )
    this.#options = options
    this.#optimizer = new AdamW(this.#parameters, {
      lr: options.lr,
      betas: options.betas ?? [0.9, 0.999],
      eps: options.eps ?? 1e-8,
      weightDecay: options.weightDecay ?? 0,
    })
  }

  /** How many numbers are trained. */
  get size(): number {
    return [...this.#parameters.values()].reduce((sum, weight) => sum + weight.numel, 0)
  }

  /** The most bytes that tensors were seen to hold between a forward pass and its backward pass, or after it. */
  get peakBytes(): number {
    return this.#peak
  }

  /** Where the schedule stands: optimizer steps made or skipped so far. */
  get steps(): number {
    return this.#steps
  }

  /**
   * One optimizer step on the gradient of Σ parts / `weight`. Since every part is a sum and the weight belongs to the whole
   * batch, how the batch is cut into parts changes nothing but rounding.
   *
   * @throws NonFiniteError before anything is updated, naming the step, the tensor and the samples.
   */
  step(parts: Iterable<Part>, weight: number): StepStats {
    const { name, maxGradNorm } = this.#options
    this.#optimizer.zeroGrad()
    let loss = 0
    const samples: (string | number)[] = []
    for (const part of parts) {
      samples.push(...part.samples)
      loss += scope(() => {
        const tape = new Tape(() => this.#measure())
        const sum = tape.record(() => part.loss())
        const value = sum.item()
        if (!Number.isFinite(value)) {
          throw new NonFiniteError(`${name}: the loss is ${value} at step ${this.#steps} ${inSamples(part.samples)}`)
        }
        this.#measure()
        tape.backward(sum.div(weight))
        this.#gather()
        this.#measure()
        return value
      })
    }
    const gradNorm = scope(() => noGrad(() => clipGradNorm(this.#parameters.values(), maxGradNorm)))
    if (!Number.isFinite(gradNorm)) throw this.#nonFiniteGradient(gradNorm, samples)
    const lr = this.#options.lr * this.#options.schedule(this.#steps)
    this.#optimizer.lr = lr
    this.#optimizer.step()
    noGrad(() => {
      for (const { weight, master } of this.#halves.values()) weight.copy_(master)
    })
    this.#steps++
    this.#measure()
    return { loss: loss / weight, gradNorm, lr }
  }

  /**
   * One forward and backward pass whose gradient is thrown away, with room beside it for what the optimizer has yet to
   * make: whether a part of this size fits.
   * @throws whatever the pass throws; memory that is refused says "out of memory"
   */
  probe(part: Part): void {
    try {
      scope(() => {
        const tape = new Tape(() => this.#measure())
        const sum = tape.record(() => part.loss())
        this.#measure()
        tape.backward(sum)
        this.#gather()
        this.#measure()
        // Adam's two moments, made at the first step and freed at once here.
        if (this.#optimizer.state().tensors.size > 0) return
        for (const weight of this.#parameters.values()) {
          torch.empty_like(weight)
          torch.empty_like(weight)
        }
      })
    } finally {
      this.#optimizer.zeroGrad()
    }
  }

  /** Lets `steps` of the schedule pass without an update. */
  skip(steps: number): void {
    this.#steps += steps
  }

  state(): State {
    const { step, tensors } = this.#optimizer.state()
    for (const [name, { master }] of this.#halves) tensors.set(MASTER + name, master)
    return { tensors, values: { steps: this.#steps, optimizer: step } }
  }

  load(state: State): void {
    const values = state.values as { steps: number; optimizer: number }
    this.#steps = values.steps
    const tensors = new Map(state.tensors)
    for (const [name, { master }] of this.#halves) {
      const saved = tensors.get(MASTER + name)
      if (!saved) throw new EmendError(`${this.#options.name}: the checkpoint has no float32 master of ${name}`)
      noGrad(() => master.copy_(saved))
      tensors.delete(MASTER + name)
    }
    this.#optimizer.load({ step: values.optimizer, tensors })
  }

  /** Adds the gradients of half precision to their masters', where sums over micro-batches lose nothing. */
  #gather(): void {
    noGrad(() => {
      for (const { weight, master } of this.#halves.values()) {
        const { grad } = weight
        if (!grad) continue
        master.grad = master.grad ? master.grad.add(grad) : grad.to('float32')
        weight.grad = null
      }
    })
  }

  /** Frees what only training needs: gradients, moments, masters. The weights stay as they are; the trainer is of no more use. */
  dispose(): void {
    this.#optimizer.zeroGrad()
    this.#optimizer.dispose()
    for (const { weight, master } of this.#halves.values()) {
      weight.grad = null
      master.dispose()
    }
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #measure(): void {
    this.#peak = Math.max(this.#peak, memory().bytes)
  }

  #nonFiniteGradient(norm: number, samples: readonly (string | number)[]): NonFiniteError {
    const broken = [...this.#parameters].find(([, parameter]) => {
      const { grad } = parameter
      return grad !== null && scope(() => !grad.isfinite().all().item())
    })
    return new NonFiniteError(
      `${this.#options.name}: the gradient of ${broken?.[0] ?? 'the whole model'} is not finite (norm ${norm}) at step ${this.#steps} ${inSamples(samples)}`,
    )
  }
}

/** Names samples for an error, the first few of many. */
const inSamples = (samples: readonly (string | number)[]): string =>
  `in samples ${samples.slice(0, 16).join(', ')}${samples.length > 16 ? ` and ${samples.length - 16} more` : ''}`
