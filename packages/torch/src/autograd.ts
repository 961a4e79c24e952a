/** Gradients as values: `grad(outputs, inputs)` beside `x.backward()`. */
import { native } from './native.js'
import { Tensor } from './tensor.js'

export interface GradOptions {
  /** d(loss)/d(output) for each output; null for an output of one element. */
  readonly gradients?: readonly (Tensor | null)[]
  /** Keep the graph for another call. Default: as `createGraph`. */
  readonly retainGraph?: boolean
  /** Make the gradients differentiable themselves. */
  readonly createGraph?: boolean
}

/**
 * The gradients of the sum of `outputs` with respect to each of `inputs`; null where an output does not depend on it.
 * Nothing is added to any `.grad`.
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions = {},
): (Tensor | null)[] {
  const { words } = native
  const of = outputs instanceof Tensor ? [outputs] : outputs
  const by = inputs instanceof Tensor ? [inputs] : inputs
  if (by.length === 0) throw new TypeError('grad: no inputs')
  let at = 0
  const put = (name: string, list: readonly (Tensor | null)[]) => {
    words[at++] = list.length
    list.forEach((t, i) => {
      if (t !== null && !(t instanceof Tensor)) throw new TypeError(`grad: ${name}[${i}] must be a Tensor`)
      words[at++] = t === null ? 0 : t.live(`grad, ${name}[${i}]`)
    })
  }
  words[at++] = (options.retainGraph ?? options.createGraph) ? 1 : 0
  words[at++] = options.createGraph ? 1 : 0
  put('outputs', of)
  put('gradients', options.gradients ?? of.map(() => null))
  put('inputs', by)
  native.differentiate()
  const handles = Array.from(words.subarray(1, 1 + words[0]!))
  return handles.map(handle => (handle === 0 ? null : new Tensor(handle)))
}
