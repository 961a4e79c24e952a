import { gradcheck, tensor } from '@emend/torch'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { objectiveOf } from '../objectives/index.js'
import { lastOf, maskedRowMean, type RewardReading } from '../reading.js'
import { type PaymentName, paymentNames, paymentOf } from './index.js'

/** A reading of ragged rows, right-padded; `sequence` is given beside it. */
function readingOf(rows: number[][], sequence: number[]): RewardReading {
  const width = Math.max(...rows.map(row => row.length))
  const pad = (row: number[]) => [...row, ...Array<number>(width - row.length).fill(0)]
  return {
    token: tensor(rows.map(pad), { dtype: 'float64' }),
    sequence: tensor(sequence, { dtype: 'float64' }),
    mask: tensor(
      rows.map(row => pad(row.map(() => 1))),
      { dtype: 'bool' },
    ),
  }
}

describe('payments by hand', () => {
  const reading = readingOf([[1, 2, 6], [4]], [10, -2])
  // + 0 turns −0 into 0: a place outside the mask is zero of either sign
  const paid = (name: PaymentName) => paymentOf(name).pay(reading).add(0).tolist()

  it('terminal: all at the last token', () => {
    expect(paid('terminal')).toEqual([
      [0, 0, 10],
      [-2, 0, 0],
    ])
  })
  it('token: r_t', () => {
    expect(paid('token')).toEqual([
      [1, 2, 6],
      [4, 0, 0],
    ])
  })
  it('token-mean: r_t / T', () => {
    expect(paid('token-mean')).toEqual([
      [1 / 3, 2 / 3, 2],
      [4, 0, 0],
    ])
  })
  it('uniform: R / T', () => {
    expect(paid('uniform')).toEqual([
      [10 / 3, 10 / 3, 10 / 3],
      [-2, 0, 0],
    ])
  })
  it('an unknown one is refused with the list', () => {
    expect(() => paymentOf('tokens')).toThrow("no payment 'tokens'; there are terminal, token, token-mean, uniform")
  })
})

describe('every payment', () => {
  const rows = fc.array(fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 1, maxLength: 9 }), {
    minLength: 1,
    maxLength: 5,
  })
  it.each(paymentNames)('%s adds up to what it promises and pays nothing outside the mask', name => {
    const payment = paymentOf(name)
    fc.assert(
      fc.property(rows, fc.integer({ min: -9, max: 9 }), (tokens, score) => {
        const paid = payment
          .pay(
            readingOf(
              tokens,
              tokens.map((_, i) => score + i),
            ),
          )
          .tolist() as number[][]
        tokens.forEach((row, i) => {
          const sum = row.reduce((total, x) => total + x, 0)
          const promised = { sequence: score + i, sum, mean: sum / row.length }[payment.total]
          expect((paid[i] as number[]).reduce((total, x) => total + x, 0)).toBeCloseTo(promised, 9)
          expect((paid[i] as number[]).slice(row.length).every(x => x === 0)).toBe(true)
        })
      }),
    )
  })
})

describe('objectives', () => {
  const chosen = readingOf([[1, 2, 6]], [0])
  const rejected = readingOf([[4, -2]], [0])

  // mean 3 against mean 1: −log σ(2) = log(1 + e^−2) = 0.1269280
  it('token: Bradley–Terry on the mean token reward', () => {
    const { sequence, loss } = objectiveOf('token')
    const read = (r: RewardReading) => ({ ...r, sequence: sequence(r.token, r.mask) })
    expect(loss(read(chosen), read(rejected)).item()).toBeCloseTo(0.126928, 6)
  })

  // last tokens 6 against −2: log(1 + e^−8) = 0.00033541
  it('sequence: Bradley–Terry on the last token', () => {
    const { sequence, loss } = objectiveOf('sequence')
    const read = (r: RewardReading) => ({ ...r, sequence: sequence(r.token, r.mask) })
    expect(loss(read(chosen), read(rejected)).item()).toBeCloseTo(0.00033541, 7)
  })

  it('token: adding a constant to every reward changes nothing', () => {
    const { sequence, loss } = objectiveOf('token')
    const shifted = (r: RewardReading, c: number) => ({ ...r, sequence: sequence(r.token.add(c), r.mask) })
    expect(loss(shifted(chosen, 5), shifted(rejected, 5)).item()).toBeCloseTo(0.126928, 6)
  })

  it('means and last values heed the mask', () => {
    const { token, mask } = readingOf([[1, 2, 6], [4]], [0, 0])
    expect(maskedRowMean(token, mask).tolist()).toEqual([3, 4])
    expect(lastOf(token, mask).tolist()).toEqual([6, 4])
  })

  it.each(paymentNames)('the gradient through %s and a loss on it is that of central differences', name => {
    const { mask } = readingOf([[1, 2, 6], [4]], [0, 0])
    const weights = tensor(
      [
        [0.3, -1, 2],
        [0.7, 5, 5],
      ],
      { dtype: 'float64' },
    )
    const objective = objectiveOf(paymentOf(name).of)
    gradcheck(
      token =>
        paymentOf(name)
          .pay({ token, mask, sequence: objective.sequence(token, mask) })
          .mul(weights)
          .sum(),
      [
        tensor(
          [
            [1, 2, 6],
            [4, 0, 0],
          ],
          { dtype: 'float64' },
        ),
      ],
    )
  })
})
