/** What it takes to train a reward model on pairs. */
import type { Tensor } from '@emend/torch'
import type { RewardReading } from '../reading.js'

export interface RewardObjective {
  readonly kind: string
  /** Paper and equation. */
  readonly source: string
  /** token [B, T] and mask [B, T] → R [B], the number that this objective trains. */
  sequence(token: Tensor, mask: Tensor): Tensor
  /** Loss per pair, [B]. */
  loss(chosen: RewardReading, rejected: RewardReading): Tensor
}
