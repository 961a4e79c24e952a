/** Rewards that PPO can be paid: a learned model behind a payment, or any function of the reply. */
import { mapInBatches, responseRows } from '../models/index.js'
import { type Calibration, calibrate } from './calibration.js'
import type { Payment } from './payments/index.js'
import type { RewardModel } from './reward-model.js'

/** Responses waiting to be paid; `indices[i]` is the place of prompt i in the prompt set. */
export interface Unpaid {
  readonly indices: readonly number[]
  readonly prompts: readonly Int32Array[]
  readonly responses: readonly { readonly ids: Int32Array; readonly ended: boolean }[]
}

/** → [T] per response: the reward at every token, before KL and before the missing-EOS penalty. */
export type PaidReward = (batch: Unpaid) => Float32Array[]

/** A learned reward through a payment, centred and scaled. */
export function learnedReward(model: RewardModel, payment: Payment, { shift, scale, of }: Calibration): PaidReward {
  return ({ prompts, responses }) =>
    mapInBatches(
      prompts,
      responses.map(response => response.ids),
      8192,
      batch => {
        const reading = model.read(batch)
        const centred = { ...reading, [of]: reading[of].sub(shift) }
        return responseRows(payment.pay(centred).mul(scale), batch.lengths)
      },
      model.scalar.device,
    )
}

/**
 * A reward from outside the model (an oracle, a rule), paid at the last token and calibrated as a learned one would be.
 *
 * @param score the response's reward; higher is better
 * @param samples what the calibration is fitted on
 */
export function terminalReward(
  score: (index: number, response: Int32Array, ended: boolean) => number,
  calibration: Calibration,
): PaidReward {
  return ({ indices, responses }) =>
    responses.map(({ ids, ended }, i) => {
      const paid = new Float32Array(ids.length)
      paid[ids.length - 1] = (score(indices[i] as number, ids, ended) - calibration.shift) * calibration.scale
      return paid
    })
}

/** Fits the calibration of `model` under `payment` on sampled responses, and keeps it in the model. */
export function fitCalibration(
  model: RewardModel,
  payment: Payment,
  samples: { readonly prompts: readonly Int32Array[]; readonly responses: readonly Int32Array[] },
  fittedOn: string,
): Calibration {
  const calibration = calibrate(model.readAll(samples.prompts, samples.responses), payment, fittedOn)
  model.calibrations[payment.name] = calibration
  return calibration
}
