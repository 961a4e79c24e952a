import { describe, expect, it } from 'vitest'
import { devices, gradcheck, tensor } from './index.js'

describe.each(devices())('gradcheck on %s', device => {
  const x = () => tensor(Float64Array.of(0.3, -1.2, 2), { device })

  it('passes a right gradient: of every element, of every input, of outputs of any shape', () => {
    expect(gradcheck(a => a.exp().mul(a.sin()), [x()])).toBeLessThan(1e-8)
    expect(gradcheck((a, b) => a.mul(b).sum(), [x(), x()])).toBeLessThan(1e-8)
  })

  it('catches a wrong one, saying where', () => {
    // The value is x², whose derivative is 2x; the graph holds one factor fixed and says x.
    expect(() => gradcheck(a => a.mul(a.detach()), [x()])).toThrow(
      /^gradcheck: input 0, element 0: autograd gives 0\.\d+, the central difference [\d.]+$/,
    )
    expect(() => gradcheck(a => a.detach().mul(1).add(a.mul(0)), [x()])).toThrow(/autograd gives 0,/)
  })

  it('wants float64', () => {
    expect(() => gradcheck(a => a, [tensor([1], { device })])).toThrow(
      'gradcheck: input 0: got float32, expected float64',
    )
    expect(() => gradcheck(a => a.to('float32'), [x()])).toThrow('gradcheck: output: got float32, expected float64')
  })
})
