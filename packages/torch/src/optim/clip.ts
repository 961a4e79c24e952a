/** Gradient clipping by the total norm. */

import { noGrad, scope } from '../scope.js'
import type { Tensor } from '../tensor.js'
import { torch } from '../torch.js'

/**
 * Scales all gradients by min(1, maxNorm / (norm + 1e-6)), where norm is the L2 norm of all of them together, in place;
 * the numbers of torch.nn.utils.clip_grad_norm_. Parameters without a gradient are skipped. A norm that is not finite is
 * given back as it is, and the gradients are left alone: the caller decides.
 * @returns the norm before clipping; 0 when no parameter has a gradient
 * @throws RangeError when maxNorm is not a number above 0
 */
export function clipGradNorm(params: Iterable<Tensor>, maxNorm: number): number {
  if (!(maxNorm > 0)) throw new RangeError(`clipGradNorm: maxNorm: got ${maxNorm}, expected a number above 0`)
  return scope(() =>
    noGrad(() => {
      // The foreach kernels take one device and dtype a call.
      const groups = new Map<string, Tensor[]>()
      for (const param of params) {
        const gradient = param.grad
        if (!gradient) continue
        const key = `${gradient.device} ${gradient.dtype}`
        const group = groups.get(key)
        if (group) group.push(gradient)
        else groups.set(key, [gradient])
      }
      const norms: number[] = []
      for (const gradients of groups.values()) {
        const each = torch.unsafe.call('aten::_foreach_norm', 'Scalar', gradients, 2) as Tensor[]
        norms.push(torch.linalg_vector_norm(torch.stack(each)).item())
      }
      const norm = norms.length === 1 ? norms[0]! : Math.hypot(...norms)
      if (!Number.isFinite(norm)) return norm
      // In single precision, step by step as PyTorch does, so that the gradients are bit-equal to PyTorch's.
      const scale = Math.fround(Math.fround(maxNorm) * Math.fround(1 / Math.fround(norm + 1e-6)))
      if (scale < 1) {
        for (const gradients of groups.values()) torch.unsafe.call('aten::_foreach_mul_', 'Scalar', gradients, scale)
      }
      return norm
    }),
  )
}
