/** Gradients against central differences in float64: the test of every function of ours that carries a gradient. */

import { grad } from './autograd.js'
import { randomUniform } from './random.js'
import { noGrad, scope } from './scope.js'
import { type Tensor, tensor } from './tensor.js'

/** How gradcheck differs and compares; the defaults are PyTorch's. */
export interface GradcheckOptions {
  /** Half the width of the difference. Default 1e-6. */
  readonly eps?: number
  /** Differences up to atol + rtol · |numerical| pass. Defaults 1e-5 and 1e-3. */
  readonly atol?: number
  readonly rtol?: number
}

/**
 * Compares autograd's gradient of `fn` with the central difference (f(x + eps) - f(x - eps)) / 2 eps, element by element
 * of every input. Outputs of several elements are first summed with fixed random weights in [0.5, 1.5).
 * `fn` must be a pure function of its inputs, in float64 throughout.
 * @param inputs float64 tensors; their values are used, their graph is not
 * @returns the largest absolute difference
 * @throws Error naming the first element whose gradients differ; TypeError when an input or the output is not float64
 */
export function gradcheck(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): number {
  const { eps = 1e-6, atol = 1e-5, rtol = 1e-3 } = options
  for (const [i, input] of inputs.entries()) {
    if (input.dtype !== 'float64') throw new TypeError(`gradcheck: input ${i}: got ${input.dtype}, expected float64`)
  }
  const loss = (...leaves: Tensor[]): Tensor => {
    const output = fn(...leaves)
    if (output.dtype !== 'float64') throw new TypeError(`gradcheck: output: got ${output.dtype}, expected float64`)
    const weights = randomUniform([output.numel], output.numel).map(u => u + 0.5)
    return output.mul(tensor(weights, { shape: output.shape, device: output.device })).sum()
  }
  const values = inputs.map(input => input.data() as Float64Array)
  const leaf = (i: number, data: Float64Array, requiresGrad: boolean): Tensor =>
    tensor(data, { shape: inputs[i]!.shape, device: inputs[i]!.device, requiresGrad })

  const analytical = scope(() => {
    const leaves = values.map((data, i) => leaf(i, data, true))
    return grad([loss(...leaves)], leaves).map((g, i) => (g ? g.data() : new Float64Array(values[i]!.length)))
  })
  const lossAt = (changed: number, data: Float64Array): number =>
    scope(() => noGrad(() => loss(...values.map((own, i) => leaf(i, i === changed ? data : own, false))).item()))

  let worst = 0
  for (const [i, own] of values.entries()) {
    for (let k = 0; k < own.length; k++) {
      const at = own[k]!
      const moved = Float64Array.from(own)
      moved[k] = at + eps
      const above = lossAt(i, moved)
      moved[k] = at - eps
      const below = lossAt(i, moved)
      const numerical = (above - below) / (2 * eps)
      const got = Number(analytical[i]![k])
      const difference = Math.abs(got - numerical)
      if (!(difference <= atol + rtol * Math.abs(numerical))) {
        throw new Error(
          `gradcheck: input ${i}, element ${k}: autograd gives ${got}, the central difference ${numerical}`,
        )
      }
      worst = Math.max(worst, difference)
    }
  }
  return worst
}
