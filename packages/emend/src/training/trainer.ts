/** The step that every algorithm shares: micro-batches, clipping, schedule, optimizer, and a check for non-finite numbers. */
import { AdamW, clipGradNorm, linear, noGrad, type Schedule, scope, type Tensor } from '@emend/torch'
import { EmendError } from '../errors.js'
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

/** A loss, a gradient or a reward stopped being a number; nothing was updated with it. */
export class NonFiniteError extends EmendError {}

export class Trainer implements Stateful {
  readonly #optimizer: AdamW
  readonly #parameters: ReadonlyMap<string, Tensor>
  readonly #options: TrainerOptions
  #steps = 0

  constructor(parameters: ReadonlyMap<string, Tensor>, options: TrainerOptions) {
    this.#parameters = parameters
    this.#options = options
    this.#optimizer = new AdamW(new Map(parameters), {
      lr: options.lr,
      betas: options.betas ?? [0.9, 0.999],
      eps: options.eps ?? 1e-8,
      weightDecay: options.weightDecay ?? 0,
    })
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
        const sum = part.loss()
        const value = sum.item()
        if (!Number.isFinite(value)) {
          throw new NonFiniteError(`${name}: the loss is ${value} at step ${this.#steps} ${inSamples(part.samples)}`)
        }
        sum.div(weight).backward()
        return value
      })
    }
    const gradNorm = scope(() => noGrad(() => clipGradNorm(this.#parameters.values(), maxGradNorm)))
    if (!Number.isFinite(gradNorm)) throw this.#nonFiniteGradient(gradNorm, samples)
    const lr = this.#options.lr * this.#options.schedule(this.#steps)
    this.#optimizer.lr = lr
    this.#optimizer.step()
    this.#steps++
    return { loss: loss / weight, gradNorm, lr }
  }

  /** Lets `steps` of the schedule pass without an update. */
  skip(steps: number): void {
    this.#steps += steps
  }

  state(): State {
    const { step, tensors } = this.#optimizer.state()
    return { tensors, values: { steps: this.#steps, optimizer: step } }
  }

  load(state: State): void {
    const values = state.values as { steps: number; optimizer: number }
    this.#steps = values.steps
    this.#optimizer.load({ step: values.optimizer, tensors: new Map(state.tensors) })
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
