/** Centre and scale: the loss fixes differences only, and a token reward pays about T times as much as a sequence reward. */
import { EmendError } from '../errors.js'
import { mean, standardDeviation } from '../evaluation/statistics.js'

/** paid = (reading − shift) paid out, × scale. */
export interface Calibration {
  readonly shift: number
  readonly scale: number
  /** Which part of the reading is shifted: each r_t, or R. */
  readonly of: 'token' | 'sequence'
  readonly fittedOn: string
  readonly n: number
}

/** One sample as a reward model read it. */
export interface CalibrationSample {
  readonly token: ArrayLike<number>
  readonly sequence: number
}

/**
 * Shift: the mean over samples of what is paid (over all tokens for a token payment). Scale: one over the standard deviation
 * of a response's *total*, so that every arm meets the KL penalty at the same strength (biased variance, n in the denominator).
 *
 * @param total what the payment of a response adds up to
 * @throws EmendError when all totals are the same, for then nothing can be learnt from the reward
 */
export function calibrate(
  samples: readonly CalibrationSample[],
  payment: { readonly of: 'token' | 'sequence'; readonly total: 'sequence' | 'sum' | 'mean'; readonly name: string },
  fittedOn: string,
): Calibration {
  const shift =
    payment.of === 'sequence' ? mean(samples.map(s => s.sequence)) : mean(samples.flatMap(s => Array.from(s.token)))
  const totals = samples.map(({ token, sequence }) => {
    if (payment.of === 'sequence') return sequence - shift
    const sum = Array.from(token).reduce((total, reward) => total + reward - shift, 0)
    return payment.total === 'mean' ? sum / token.length : sum
  })
  const spread = standardDeviation(totals, 0)
  if (!(spread > 0)) {
    throw new EmendError(
      `payment '${payment.name}': all ${samples.length} calibration samples of ${fittedOn} get the same total reward`,
    )
  }
  return { shift, scale: 1 / spread, of: payment.of, fittedOn, n: samples.length }
}
