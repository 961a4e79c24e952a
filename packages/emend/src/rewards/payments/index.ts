/** Every payment: one file and one line here. */
import { EmendError } from '../../errors.js'
import type { Payment } from './payment.js'
import { terminal } from './terminal.js'
import { token } from './token.js'
import { tokenMean } from './token-mean.js'
import { uniform } from './uniform.js'

export type { Payment } from './payment.js'

const payments = { terminal, token, 'token-mean': tokenMean, uniform } satisfies Record<string, Payment>

export type PaymentName = keyof typeof payments
export const paymentNames = Object.keys(payments) as [PaymentName, ...PaymentName[]]

/** @throws EmendError that lists the payments there are */
export function paymentOf(name: string): Payment {
  const payment = (payments as Record<string, Payment>)[name]
  if (!payment) throw new EmendError(`no payment '${name}'; there are ${paymentNames.join(', ')}`)
  return payment
}
