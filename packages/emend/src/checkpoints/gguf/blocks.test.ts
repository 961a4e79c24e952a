import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dequantize } from './dequantize.js'
import { TENSOR_TYPES } from './format.js'
import { quantize, toHalf, WRITTEN_TYPES } from './quantize.js'

// Made by the reference package: goldens/gguf/make-blocks.py.
const golden = JSON.parse(readFileSync(new URL('../../../goldens/gguf/blocks.json', import.meta.url), 'utf8'))
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, 'base64'))
const numbersOf = (text: string) => new Float32Array(bytesOf(text).buffer)
const typeNamed = (name: string) => [...TENSOR_TYPES.values()].find(type => type.name === name)!
const bits = (numbers: Float32Array) => new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length)

describe('tensor types', () => {
  it.each([...TENSOR_TYPES.values()].map(type => type.name))(
    '%s is read bit for bit as the reference reads it',
    name => {
      const expected = numbersOf(golden[name].numbers)
      const out = new Float32Array(expected.length + 3)
      dequantize(typeNamed(name), bytesOf(golden[name].bytes), out, 3)
      expect(bits(out.slice(3))).toEqual(bits(expected))
      expect([...out.subarray(0, 3)]).toEqual([0, 0, 0])
    },
  )

  it.each(WRITTEN_TYPES)('%s is written byte for byte as the reference writes it', name => {
    expect(quantize(name, numbersOf(golden.rows))).toEqual(bytesOf(golden[name].bytes))
  })

  it.each(['F16', 'BF16'] as const)('%s: ties, subnormals and the ends of the range', name => {
    expect(quantize(name, numbersOf(golden.corners.rows))).toEqual(bytesOf(golden.corners[name]))
  })

  it('a block of Q4_0 worked out by hand', () => {
    // scale 2 (0x4000); byte i holds number i below and number 16 + i above, each less 8.
    const bytes = new Uint8Array([0x00, 0x40, ...Array.from({ length: 16 }, (_, i) => i | ((15 - i) << 4))])
    const out = new Float32Array(32)
    dequantize(typeNamed('Q4_0'), bytes, out)
    expect([...out]).toEqual([
      ...Array.from({ length: 16 }, (_, i) => 2 * (i - 8)),
      ...Array.from({ length: 16 }, (_, i) => 2 * (7 - i)),
    ])
  })

  it('every float16 comes back as it was', () => {
    const all = new Uint16Array(65_536).map((_, i) => i)
    const numbers = new Float32Array(65_536)
    dequantize(typeNamed('F16'), new Uint8Array(all.buffer), numbers)
    const nan = all.filter(half => (half & 0x7fff) > 0x7c00)
    expect(nan.length).toBe(2 * 1023)
    for (const half of all) if ((half & 0x7fff) <= 0x7c00) expect(toHalf(numbers[half]!)).toBe(half)
    for (const half of nan) expect(numbers[half]).toBeNaN()
  })

  it('the float16 chosen is never farther than another (property)', () => {
    const values = new Float32Array(65_536)
    dequantize(typeNamed('F16'), new Uint8Array(new Uint16Array(65_536).map((_, i) => i).buffer), values)
    fc.assert(
      fc.property(fc.float({ min: -65_504, max: 65_504, noNaN: true }), x => {
        const half = toHalf(x)
        const error = Math.abs(values[half]! - x)
        for (const neighbour of [half - 1, half + 1]) {
          const other = values[neighbour & 0xffff]!
          if (Number.isFinite(other)) expect(error).toBeLessThanOrEqual(Math.abs(other - x))
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('refuses bytes that are no whole blocks, and numbers that do not fill one', () => {
    expect(() => dequantize(typeNamed('Q8_0'), new Uint8Array(33), new Float32Array(32))).toThrow('no whole blocks')
    expect(() => dequantize(typeNamed('Q8_0'), new Uint8Array(68), new Float32Array(32))).toThrow('or too many')
    expect(() => quantize('Q8_0', new Float32Array(31))).toThrow('no whole blocks of 32')
  })
})
