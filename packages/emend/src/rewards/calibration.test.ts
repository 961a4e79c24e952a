import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { calibrate, keepCalibration, keptCalibration } from './calibration.js'
import { paymentOf } from './payments/index.js'

const samples = [
  { token: [1, 3], sequence: 2 },
  { token: [2, 2, 2, 6], sequence: 6 },
]

describe('calibrate', () => {
  // R = 2, 6: mean 4, biased standard deviation 2
  it('terminal: centres R, scales its spread to 1', () => {
    expect(calibrate(samples, paymentOf('terminal'), 'sft')).toEqual({
      shift: 4,
      scale: 0.5,
      of: 'sequence',
      fittedOn: 'sft',
      n: 2,
    })
  })

  // mean token 16/6 = 2.6667; totals 4 − 5.3333 = −1.3333 and 12 − 10.6667 = 1.3333: spread 1.3333
  it('token: centres the mean token, scales the spread of the sum', () => {
    const { shift, scale } = calibrate(samples, paymentOf('token'), 'sft')
    expect(shift).toBeCloseTo(16 / 6, 9)
    expect(scale).toBeCloseTo(0.75, 9)
  })

  // totals: 2 − 2.6667 = −0.6667 and 3 − 2.6667 = 0.3333: biased standard deviation 0.5
  it('token-mean: scales the spread of the mean', () => {
    const { scale } = calibrate(samples, paymentOf('token-mean'), 'sft')
    expect(scale).toBeCloseTo(2, 9)
  })

  it('is read again for its own payment alone, and where it is whole', () => {
    const folder = mkdtempSync(join(tmpdir(), 'emend-calibration-'))
    const file = join(folder, 'calibration.json')
    const third = { shift: 1 / 3, scale: 2 / 7, of: 'token', fittedOn: 'sft', n: 2 } as const
    expect(keptCalibration(file, 'token')).toBeUndefined()
    keepCalibration(file, 'token', third)
    expect(keptCalibration(file, 'token')).toEqual(third)
    expect(keptCalibration(file, 'token-mean')).toBeUndefined()
    for (const broken of ['', '[]', '{"payment": "token"}']) {
      writeFileSync(file, broken)
      expect(keptCalibration(file, 'token')).toBeUndefined()
    }
    rmSync(folder, { recursive: true })
  })

  it('refuses samples that tell nothing apart', () => {
    const same = [samples[0], samples[0]] as typeof samples
    expect(() => calibrate(same, paymentOf('terminal'), 'sft')).toThrow(
      "payment 'terminal': all 2 calibration samples of sft get the same",
    )
  })
})
