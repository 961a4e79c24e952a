/** What a reward model says about a batch of responses, before anyone decides where it is paid. */
import type { Tensor } from '@emend/torch'

export interface RewardReading {
  /** [B, T] r_t, read after consuming a_t; zero where there is no response token. */
  readonly token: Tensor
  /** [B] the response's one number: R at the last real token, or the mean of r_t, as the objective says. */
  readonly sequence: Tensor
  /** [B, T] true where there is a response token. */
  readonly mask: Tensor
}

/** Mean of `x` [B, T] over the true places of `mask` [B, T], per row: [B]. Rows hold at least one token. */
export function maskedRowMean(x: Tensor, mask: Tensor): Tensor {
  return x
    .mul(mask)
    .sum([1])
    .div(mask.sum([1]))
}

/** `x` [B, T] at each row's last true place of `mask` [B, T]: [B]. */
export function lastOf(x: Tensor, mask: Tensor): Tensor {
  const last = mask.sum([1], true).sub(1)
  return x.gather(1, last).squeeze(1)
}
