import { describe, expect, it } from 'vitest'
import { AdaptiveKL, fixedKL, k1, k3 } from './kl.js'

describe('KL estimators', () => {
  const policy = Float32Array.of(-1, -2)
  const reference = Float32Array.of(-1.5, -1)

  it('k1 is the log-ratio, negative where the reference likes the token better', () => {
    expect(Array.from(k1(policy, reference))).toEqual([0.5, -1])
  })

  // d = 0.5: e^−0.5 − 1 + 0.5 = 0.1065307; d = −1: e − 2 = 0.7182818
  it('k3 is e^−d − 1 + d', () => {
    const [first, second] = k3(policy, reference)
    expect(first).toBeCloseTo(0.1065307, 6)
    expect(second).toBeCloseTo(0.7182818, 6)
  })
})

describe('KL controllers', () => {
  it('fixed does not move', () => {
    const kl = fixedKL(0.1)
    kl.update(100, 1000)
    expect(kl.coef).toBe(0.1)
  })

  // target 6, KL 6.6: error 0.1; 512 samples of 10,000: 0.2 · (1 + 0.1 · 0.0512) = 0.201024
  it('adaptive corrects in proportion', () => {
    const kl = new AdaptiveKL(0.2)
    kl.update(6.6, 512)
    expect(kl.coef).toBeCloseTo(0.201024, 9)
  })

  // KL 60 is an error of 9, clipped to 0.2: 0.2 · (1 + 0.2 · 0.0512) = 0.202048
  it('adaptive clips the error to ±0.2', () => {
    const kl = new AdaptiveKL(0.2)
    kl.update(60, 512)
    expect(kl.coef).toBeCloseTo(0.202048, 9)
    const low = new AdaptiveKL(0.2)
    low.update(0, 512)
    expect(low.coef).toBeCloseTo(0.197952, 9)
  })

  it('adaptive gives its state out and takes it back', () => {
    const kl = new AdaptiveKL(0.2)
    kl.update(60, 512)
    const copy = new AdaptiveKL(0.5)
    copy.load(kl.state())
    expect(copy.coef).toBe(kl.coef)
  })
})
