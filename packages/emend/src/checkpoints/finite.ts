/** Weights that are no numbers, found before anything is computed with them. */
import { scope, type Tensor } from '@emend/torch'
import { EmendError } from '../errors.js'

/**
 * Looks for NaN and infinite weights: one sum a tensor, and each number only where that is not finite.
 *
 * @param where what the error starts with
 * @throws EmendError naming the first such tensor
 */
export function refuseNonFinite(tensors: Iterable<readonly [name: string, tensor: Tensor]>, where: string): void {
  for (const [name, tensor] of tensors) {
    const finite = scope(() => Number.isFinite(tensor.sum().item()) || Boolean(tensor.isfinite().all().item()))
    if (!finite)
      throw new EmendError(
        `${where}: ${name}: holds NaN or infinite numbers; the file is broken, or its training diverged`,
      )
  }
}
