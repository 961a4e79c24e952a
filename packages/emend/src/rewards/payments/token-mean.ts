/** r_t / T at every token: pays in total the mean that was trained. */
import type { Payment } from './payment.js'

export const tokenMean: Payment = {
  name: 'token-mean',
  total: 'mean',
  of: 'token',
  pay: ({ token, mask }) => token.mul(mask).div(mask.sum([1], true)),
}
