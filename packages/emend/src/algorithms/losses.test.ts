import { gradcheck, tensor } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { dpoLoss, policyLoss, valueLoss } from './losses.js'

const f64 = (rows: number[][]) => tensor(rows, { dtype: 'float64' })
const mask = tensor(
  [
    [true, true],
    [true, false],
  ] as unknown as number[][],
  { dtype: 'bool' },
)

describe('policyLoss', () => {
  // ratios: e^0.1 = 1.1051709, e^0.5 = 1.6487213 (clipped to 1.2), e^−0.5 = 0.6065307 (clipped to 0.8); the masked place is wild
  const logprobs = f64([
    [-0.9, -0.5],
    [-1.5, 999],
  ])
  const old = f64([
    [-1, -1],
    [-1, 0],
  ])

  // A = 1: min(1.1051709, 1.1051709) = 1.1051709; A = 2: min(3.2974425, 2.4) = 2.4; A = −1: min(−0.6065307, −0.8) = −0.8
  it('is minus the sum of the smaller of the two products', () => {
    const advantages = f64([
      [1, 2],
      [-1, 5],
    ])
    expect(policyLoss(logprobs, old, advantages, mask, 0.2).item()).toBeCloseTo(-(1.1051709 + 2.4 - 0.8), 6)
  })

  // A = −2 with ratio 1.6487: min(−3.2974425, −2.4) = −3.2974425: a bad action grown likely is not forgiven by the clip
  it('does not clip where clipping would hide a loss', () => {
    const advantages = f64([
      [0, -2],
      [0, 0],
    ])
    expect(policyLoss(logprobs, old, advantages, mask, 0.2).item()).toBeCloseTo(3.2974425, 6)
  })

  it('has the gradient of central differences', () => {
    const [oldLogprobs, advantages] = [
      f64([
        [-1.3, -1],
        [-0.7, -1],
      ]),
      f64([
        [1, -2],
        [0.5, 3],
      ]),
    ]
    gradcheck(
      x => policyLoss(x, oldLogprobs, advantages, mask, 0.2),
      [
        f64([
          [-1.25, -1.1],
          [-0.65, -2],
        ]),
      ],
    )
  })
})

describe('valueLoss', () => {
  // v = 1, old 0, return 2, clip 0.4: (1−2)² = 1, (0.4−2)² = 2.56 → 2.56; v = 3, old 3, return 2.5: 0.25; v = 0, old 0, return 1: 1
  it('is half the sum of the worse of the two squared errors', () => {
    const loss = valueLoss(
      f64([
        [1, 3],
        [0, 9],
      ]),
      f64([
        [0, 3],
        [0, 0],
      ]),
      f64([
        [2, 2.5],
        [1, 0],
      ]),
      mask,
      0.4,
    )
    expect(loss.item()).toBeCloseTo((2.56 + 0.25 + 1) / 2, 9)
  })

  it('has the gradient of central differences', () => {
    const [old, returns] = [
      f64([
        [0, 3],
        [0, 0],
      ]),
      f64([
        [2, 2.5],
        [1, 0],
      ]),
    ]
    gradcheck(
      x => valueLoss(x, old, returns, mask, 0.4),
      [
        f64([
          [0.31, 2.9],
          [0.7, 9],
        ]),
      ],
    )
  })
})

describe('dpoLoss', () => {
  // Δ chosen = −2 − (−3) = 1, Δ rejected = −4 − (−3.5) = −0.5; β·1.5 = 0.15; −log σ(0.15) = log(1 + e^−0.15) = 0.6209572
  it('equals the number worked out by hand', () => {
    const v = (x: number) => tensor([x], { dtype: 'float64' })
    expect(dpoLoss(v(-2), v(-4), v(-3), v(-3.5), 0.1).item()).toBeCloseTo(0.6209572, 6)
    expect(dpoLoss(v(-3), v(-3), v(-3), v(-3), 0.1).item()).toBeCloseTo(Math.LN2, 9)
  })

  it('has the gradient of central differences', () => {
    const v = (...xs: number[]) => tensor(xs, { dtype: 'float64' })
    gradcheck(
      (chosen, rejected) => dpoLoss(chosen, rejected, v(-3, -1), v(-3.5, -2), 0.3).sum(),
      [v(-2, -1.5), v(-4, -1)],
    )
  })
})
