/** How far the policy has gone from its reference, and the coefficient that holds it. */
import type { State, Stateful } from '../training/stateful.js'

/** k1 per token: log π(a_t) − log π_ref(a_t). Unbiased; single tokens may be negative, and are not clamped. */
export function k1(logprobs: Float32Array, refLogprobs: Float32Array): Float32Array {
  return logprobs.map((logprob, t) => logprob - (refLogprobs[t] as number))
}

/** k3 per token: e^{−d} − 1 + d with d = log π − log π_ref. Never negative, less variance (Schulman, "Approximating KL divergence"). */
export function k3(logprobs: Float32Array, refLogprobs: Float32Array): Float32Array {
  return logprobs.map((logprob, t) => {
    const d = logprob - (refLogprobs[t] as number)
    return Math.exp(-d) - 1 + d
  })
}

/** The coefficient β of the KL penalty, fixed or adaptive. */
export interface KLController extends Stateful {
  readonly coef: number
  /** @param kl mean k1 per sequence, in nats; @param samples how many sequences it was measured on */
  update(kl: number, samples: number): void
}

export function fixedKL(coef: number): KLController {
  return { coef, update: () => {}, state: () => ({ values: {} }), load: () => {} }
}

/**
 * Ziegler et al. 2019 (arXiv 1909.08593, §2.2): a proportional controller on the relative error, clipped to ±0.2.
 *
 * @param target nats per sequence
 * @param horizon samples over which a full error is corrected
 */
export class AdaptiveKL implements KLController {
  coef: number
  readonly #target: number
  readonly #horizon: number

  constructor(initial: number, target = 6, horizon = 10_000) {
    this.coef = initial
    this.#target = target
    this.#horizon = horizon
  }

  update(kl: number, samples: number): void {
    const error = Math.min(0.2, Math.max(-0.2, kl / this.#target - 1))
    this.coef *= 1 + (error * samples) / this.#horizon
  }

  state(): State {
    return { values: { coef: this.coef } }
  }

  load(state: State): void {
    this.coef = (state.values as { coef: number }).coef
  }
}
