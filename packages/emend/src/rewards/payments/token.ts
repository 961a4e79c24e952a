/** r_t at every token: the paper's payment. Its total grows with length, though the model was trained on the mean. */
import type { Payment } from './payment.js'

export const token: Payment = {
  name: 'token',
  total: 'sum',
  of: 'token',
  pay: ({ token: rewards, mask }) => rewards.mul(mask),
}
