/** Where a reward is paid: one reading → a reward at every token, so that credit assignment is a setting. */
import type { Tensor } from '@emend/torch'
import type { RewardReading } from '../reading.js'

export interface Payment {
  readonly name: string
  /** What the paid rewards of a response add up to: R, Σ r_t, or the mean of r_t. Property-tested. */
  readonly total: 'sequence' | 'sum' | 'mean'
  /** Which part of the reading it spends, so that calibration knows what to centre. */
  readonly of: 'sequence' | 'token'
  /** → [B, T], zero outside the mask. */
  pay(reading: RewardReading): Tensor
}
