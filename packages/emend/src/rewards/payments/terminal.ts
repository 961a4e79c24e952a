/** All at the last token: ordinary RLHF. */
import type { Payment } from './payment.js'

export const terminal: Payment = {
  name: 'terminal',
  total: 'sequence',
  of: 'sequence',
  pay({ sequence, mask }) {
    const last = mask.sum([1], true).sub(1)
    return mask.to(sequence.dtype).mul(0).scatter(1, last, sequence.unsqueeze(1))
  },
}
