/** Centre and scale: the loss fixes differences only, and a token reward pays about T times as much as a sequence reward. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { EmendError } from '../errors.js'
import { mean, standardDeviation } from '../evaluation/statistics.js'
import { writeAtomically } from '../pipeline/atomic-file.js'

export const calibrationSchema = z.object({
  shift: z.number(),
  scale: z.number(),
  /** Which part of the reading is shifted: each r_t, or R. */
  of: z.enum(['token', 'sequence']),
  fittedOn: z.string(),
  n: z.number(),
})
/** paid = (reading − shift) paid out, × scale. */
export type Calibration = Readonly<z.infer<typeof calibrationSchema>>

const kept = calibrationSchema.extend({ payment: z.string() })

/** Writes a calibration to a file of its own, for a run that goes on. */
export function keepCalibration(path: string, payment: string, calibration: Calibration): void {
  writeAtomically(path, `${JSON.stringify({ payment, ...calibration }, null, 2)}\n`)
}

/** What `keepCalibration` wrote for this payment; undefined where there is nothing of the kind. */
export function keptCalibration(path: string, payment: string): Calibration | undefined {
  try {
    const { payment: of, ...calibration } = kept.parse(JSON.parse(readFileSync(path, 'utf8')))
    return of === payment ? calibration : undefined
  } catch {
    return undefined
  }
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
