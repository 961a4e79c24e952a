/** Recomputation (Chen et al. 2016, arXiv 1604.06174): segments of a forward pass are run again when their gradient is due. */

import { enableGrad, gradEnabled, noGrad, scope, type Tensor } from '@emend/torch'

/** What a segment computes: the first result carries the gradient, the others are read off without one. */
export type Segment = (x: Tensor, again: boolean) => readonly [Tensor, ...Tensor[]]

let recording: Tape | null = null

/**
 * `segment(x)`, of which a tape that is recording keeps nothing but `x` and the results. Without one, or where no
 * gradient is recorded, it is an ordinary call.
 *
 * Segments may read x, parameters and constants. Two of them may read the same tensor, or the one the other's result;
 * but not two tensors that autograd made from a third.
 */
export function recomputed(segment: Segment, x: Tensor): readonly [Tensor, ...Tensor[]] {
  if (!gradEnabled()) return scope(() => segment(x, false))
  return recording ? recording.segment(segment, x) : segment(x, false)
}

/** The segments of one forward pass, replayed in reverse by `backward`. */
export class Tape {
  #steps: (() => void)[] = []
  readonly #leaves = new Map<Tensor, Tensor>()
  readonly #onReplay: () => void

  /** @param onReplay called when a segment has been computed again and all it keeps is there, to measure memory */
  constructor(onReplay: () => void = () => {}) {
    this.#onReplay = onReplay
  }

  /** Runs `fn` and takes down its segments. What it makes must live until `backward`: call both in one scope. */
  record<T>(fn: () => T): T {
    const outer = recording
    recording = this
    try {
      return fn()
    } finally {
      recording = outer
    }
  }

  /** The gradient of `loss`, a scalar made of what was recorded, in every parameter: exactly that without a tape. */
  backward(loss: Tensor): void {
    loss.backward()
    for (const step of this.#steps.reverse()) step()
    this.#steps = []
    this.#leaves.clear()
  }

  /** @internal see `recomputed` */
  segment(segment: Segment, x: Tensor): readonly [Tensor, ...Tensor[]] {
    const leaf = this.#leafOf(x)
    const results = noGrad(() => scope(() => segment(leaf, false)))
    const [y] = results
    this.#leaves.set(y, y.requires_grad_(true))
    this.#steps.push(() =>
      scope(() => {
        const gradient = y.grad
        if (!gradient) return
        const [again] = enableGrad(() => segment(leaf, true))
        this.#onReplay()
        if (again.requiresGrad) again.backward(gradient)
        y.grad = null
      }),
    )
    return results
  }

  /** x cut off from what made it: the gradient gathers there until every segment that reads it is done. */
  #leafOf(x: Tensor): Tensor {
    const known = this.#leaves.get(x)
    if (known) return known
    if (!x.requiresGrad) return x
    const leaf = x.detach().requires_grad_(true)
    this.#leaves.set(x, leaf)
    this.#steps.push(() => {
      const { grad } = leaf
      if (grad) x.backward(grad)
    })
    return leaf
  }
}
