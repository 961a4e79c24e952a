/** From float32 to the types that we write into a GGUF file, number for number what llama.cpp's `quantize_row_*_ref` give. */

import { TENSOR_TYPES, type TensorType } from './format.js'

const bits = new Uint32Array(1)
const value = new Float32Array(bits.buffer)

/** The types that can be written. */
export const WRITTEN_TYPES = ['F32', 'F16', 'BF16', 'Q8_0'] as const
export type WrittenType = (typeof WRITTEN_TYPES)[number]

/** Code and layout of a type that can be written. */
export function writtenType(name: WrittenType): { readonly code: number; readonly type: TensorType } {
  for (const [code, type] of TENSOR_TYPES) if (type.name === name) return { code, type }
  throw new RangeError(`no tensor type ${name}`)
}

/**
 * The bytes of numbers in a type.
 * @param numbers for Q8_0 a multiple of 32
 */
export function quantize(name: WrittenType, numbers: Float32Array): Uint8Array {
  if (name === 'F32') return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)
  if (name === 'Q8_0') return q8_0(numbers)
  const encode = name === 'F16' ? toHalf : toBrain
  const out = new Uint16Array(numbers.length)
  for (let i = 0; i < numbers.length; i++) out[i] = encode(numbers[i]!)
  return new Uint8Array(out.buffer)
}

/** The float16 nearest to a float32, ties to even; too large becomes infinite. */
export function toHalf(x: number): number {
  value[0] = x
  const b = bits[0]!
  const sign = (b >>> 16) & 0x8000
  const size = b & 0x7fff_ffff
  if (size > 0x7f80_0000) return sign | 0x7e00
  // From 65,520 on the nearest float16 is infinite.
  if (size >= 0x477f_f000) return sign | 0x7c00
  if (size >= 0x3880_0000) return sign | ((size - 0x3800_0000 + 0xfff + ((size >>> 13) & 1)) >>> 13)
  // Below 2^-14 float16 has a fixed step of 2^-24, and adding 2^-1 (whose step in float32 is 2^-24) rounds to it.
  bits[0] = size
  value[0] = value[0]! + 0.5
  return sign | (bits[0]! - 0x3f00_0000)
}

/** The bfloat16 nearest to a float32, ties to even. */
function toBrain(x: number): number {
  value[0] = x
  const b = bits[0]!
  if ((b & 0x7fff_ffff) > 0x7f80_0000) return (b >>> 16) | 64
  return (b + 0x7fff + ((b >>> 16) & 1)) >>> 16
}

/** 8 bits a number and a float16 scale for every 32: d = max |x| / 127, q = round(x / d), halves away from zero. */
function q8_0(numbers: Float32Array): Uint8Array {
  const blocks = numbers.length / 32
  if (!Number.isInteger(blocks)) throw new RangeError(`Q8_0: ${numbers.length} numbers are no whole blocks of 32`)
  const out = new Uint8Array(blocks * 34)
  for (let b = 0, at = 0, from = 0; b < blocks; b++, at += 34, from += 32) {
    let most = 0
    for (let i = 0; i < 32; i++) most = Math.max(most, Math.abs(numbers[from + i]!))
    const d = Math.fround(most / 127)
    const inverse = d === 0 ? 0 : Math.fround(1 / d)
    const scale = toHalf(d)
    out[at] = scale & 255
    out[at + 1] = scale >>> 8
    for (let i = 0; i < 32; i++) {
      const x = Math.fround(numbers[from + i]! * inverse)
      out[at + 2 + i] = Math.sign(x) * Math.floor(Math.abs(x) + 0.5)
    }
  }
  return out
}
