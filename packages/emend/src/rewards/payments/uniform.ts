/** R / T at every token: the control that tells a dense reward from a rightly placed one. */
import type { Payment } from './payment.js'

export const uniform: Payment = {
  name: 'uniform',
  total: 'sequence',
  of: 'sequence',
  pay: ({ sequence, mask }) => mask.mul(sequence.unsqueeze(1)).div(mask.sum([1], true)),
}
