/** Initialisation of weights from counter-based random numbers: the same values on every device, in any order. */

import { randomNormal, randomUniform } from './random.js'
import { noGrad, scope } from './scope.js'
import { type Tensor, tensor } from './tensor.js'

/** Fills with normal numbers of mean 0 and the given standard deviation, in place; `key` says which ones (see randomNormal). */
export function normal_(target: Tensor, std: number, key: readonly number[]): Tensor {
  const values = randomNormal(key, target.numel)
  if (std !== 1) for (let i = 0; i < values.length; i++) values[i]! *= std
  return fill(target, values)
}

/** Fills with numbers uniform in [low, high), in place; `key` says which ones (see randomUniform). */
export function uniform_(target: Tensor, low: number, high: number, key: readonly number[]): Tensor {
  const values = randomUniform(key, target.numel)
  for (let i = 0; i < values.length; i++) values[i] = low + (high - low) * values[i]!
  return fill(target, values)
}

/** Fills with one number, in place. */
export function constant_(target: Tensor, value: number): Tensor {
  noGrad(() => target.fill_(value))
  return target
}

/** Fills with zeros, in place. */
export const zeros_ = (target: Tensor): Tensor => constant_(target, 0)

/** Fills with ones, in place. */
export const ones_ = (target: Tensor): Tensor => constant_(target, 1)

function fill(target: Tensor, values: Float32Array | Float64Array): Tensor {
  scope(() => noGrad(() => void target.copy_(tensor(values, { shape: target.shape }))))
  return target
}
