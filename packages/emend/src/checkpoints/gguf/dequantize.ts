/**
 * From the blocks of a GGUF tensor to float32, number for number what llama.cpp's `dequantize_row_*` give (ggml-quants.c).
 * Every product below is exact in float32, so that at most one rounding happens, on storing.
 */

import type { TensorType } from './format.js'

/** `blocks` whole blocks at `bytes[at]` → numbers at `out[to]`. */
type Kernel = (bytes: Uint8Array, at: number, blocks: number, out: Float32Array, to: number) => void

/**
 * The numbers of a run of whole blocks.
 * @param bytes blocks · type.bytes bytes
 * @param out takes blocks · type.elements numbers from `to` on
 */
export function dequantize(type: TensorType, bytes: Uint8Array, out: Float32Array, to = 0): void {
  const kernel = KERNELS[type.name]
  if (!kernel) throw new RangeError(`dequantize: ${type.name} is not supported`)
  const blocks = bytes.length / type.bytes
  if (!Number.isInteger(blocks) || to + blocks * type.elements > out.length) {
    throw new RangeError(`dequantize: ${bytes.length} bytes are no whole blocks of ${type.name}, or too many`)
  }
  kernel(bytes, 0, blocks, out, to)
}

/** Every float16 as a float32, by its bits (256 KiB). */
const HALF = halves()

function halves(): Float32Array {
  const table = new Float32Array(65_536)
  for (let bits = 0; bits < 65_536; bits++) {
    const exponent = (bits >> 10) & 31
    const fraction = bits & 1023
    const size =
      exponent === 31
        ? fraction
          ? Number.NaN
          : Number.POSITIVE_INFINITY
        : exponent === 0
          ? fraction * 2 ** -24
          : (1024 + fraction) * 2 ** (exponent - 25)
    table[bits] = bits & 0x8000 ? -size : size
  }
  return table
}

const half = (bytes: Uint8Array, at: number) => HALF[bytes[at]! | (bytes[at + 1]! << 8)]!

const signed = (byte: number) => (byte << 24) >> 24

const f32: Kernel = (bytes, at, blocks, out, to) => {
  // Copied as bytes: the source need not be aligned. Every platform that Node runs libtorch on is little-endian.
  new Uint8Array(out.buffer, out.byteOffset + to * 4, blocks * 4).set(bytes.subarray(at, at + blocks * 4))
}

const f16: Kernel = (bytes, at, blocks, out, to) => {
  for (let i = 0; i < blocks; i++) out[to + i] = half(bytes, at + 2 * i)
}

const bf16: Kernel = (bytes, at, blocks, out, to) => {
  const bits = new Uint32Array(out.buffer, out.byteOffset + to * 4, blocks)
  for (let i = 0; i < blocks; i++) bits[i] = (bytes[at + 2 * i]! << 16) | (bytes[at + 2 * i + 1]! << 24)
}

const q8_0: Kernel = (bytes, at, blocks, out, to) => {
  for (let b = 0; b < blocks; b++, at += 34, to += 32) {
    const d = half(bytes, at)
    for (let i = 0; i < 32; i++) out[to + i] = signed(bytes[at + 2 + i]!) * d
  }
}

const q4_0: Kernel = (bytes, at, blocks, out, to) => {
  for (let b = 0; b < blocks; b++, at += 18, to += 32) {
    const d = half(bytes, at)
    for (let i = 0; i < 16; i++) {
      const q = bytes[at + 2 + i]!
      out[to + i] = ((q & 15) - 8) * d
      out[to + 16 + i] = ((q >> 4) - 8) * d
    }
  }
}

const q4_1: Kernel = (bytes, at, blocks, out, to) => {
  for (let b = 0; b < blocks; b++, at += 20, to += 32) {
    const d = half(bytes, at)
    const m = half(bytes, at + 2)
    for (let i = 0; i < 16; i++) {
      const q = bytes[at + 4 + i]!
      out[to + i] = (q & 15) * d + m
      out[to + 16 + i] = (q >> 4) * d + m
    }
  }
}

/** The fifth bits of a block's 32 numbers. */
const fifth = (bytes: Uint8Array, at: number) =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)

const q5_0: Kernel = (bytes, at, blocks, out, to) => {
  for (let b = 0; b < blocks; b++, at += 22, to += 32) {
    const d = half(bytes, at)
    const high = fifth(bytes, at + 2)
    for (let i = 0; i < 16; i++) {
      const q = bytes[at + 6 + i]!
      out[to + i] = (((q & 15) | (((high >> i) & 1) << 4)) - 16) * d
      out[to + 16 + i] = (((q >> 4) | (((high >> (i + 16)) & 1) << 4)) - 16) * d
    }
  }
}

const q5_1: Kernel = (bytes, at, blocks, out, to) => {
  for (let b = 0; b < blocks; b++, at += 24, to += 32) {
    const d = half(bytes, at)
    const m = half(bytes, at + 2)
    const high = fifth(bytes, at + 4)
    for (let i = 0; i < 16; i++) {
      const q = bytes[at + 8 + i]!
      out[to + i] = ((q & 15) | (((high >> i) & 1) << 4)) * d + m
      out[to + 16 + i] = ((q >> 4) | (((high >> (i + 16)) & 1) << 4)) * d + m
    }
  }
}

/** Scale j of the eight 6-bit scales in a K block's 12 bytes. */
const scaleOf = (bytes: Uint8Array, at: number, j: number) =>
  j < 4 ? bytes[at + j]! & 63 : (bytes[at + j + 4]! & 15) | ((bytes[at + j - 4]! >> 6) << 4)

/** Minimum j of the eight 6-bit minima in a K block's 12 bytes. */
const minimumOf = (bytes: Uint8Array, at: number, j: number) =>
  j < 4 ? bytes[at + j + 4]! & 63 : (bytes[at + j + 4]! >> 4) | ((bytes[at + j]! >> 6) << 4)

const q4_k: Kernel = (bytes, at, blocks, out, to) => {
  for (let b = 0; b < blocks; b++, at += 144, to += 256) {
    const d = half(bytes, at)
    const least = half(bytes, at + 2)
    for (let j = 0; j < 8; j++) {
      const scale = d * scaleOf(bytes, at + 4, j)
      const minimum = least * minimumOf(bytes, at + 4, j)
      const from = at + 16 + (j >> 1) * 32
      const shift = (j & 1) * 4
      for (let i = 0; i < 32; i++) out[to + j * 32 + i] = scale * ((bytes[from + i]! >> shift) & 15) - minimum
    }
  }
}

const q5_k: Kernel = (bytes, at, blocks, out, to) => {
  for (let b = 0; b < blocks; b++, at += 176, to += 256) {
    const d = half(bytes, at)
    const least = half(bytes, at + 2)
    for (let j = 0; j < 8; j++) {
      const scale = d * scaleOf(bytes, at + 4, j)
      const minimum = least * minimumOf(bytes, at + 4, j)
      const from = at + 48 + (j >> 1) * 32
      const shift = (j & 1) * 4
      for (let i = 0; i < 32; i++) {
        const q = ((bytes[from + i]! >> shift) & 15) | (((bytes[at + 16 + i]! >> j) & 1) << 4)
        out[to + j * 32 + i] = scale * q - minimum
      }
    }
  }
}

const q6_k: Kernel = (bytes, at, blocks, out, to) => {
  for (let b = 0; b < blocks; b++, at += 210, to += 256) {
    const d = half(bytes, at + 208)
    for (let group = 0; group < 8; group++) {
      // Groups of 32 numbers: low four bits in halves of 64 bytes, high two bits in quarters of 32 bytes.
      const low = at + (group >> 2) * 64 + (group & 1) * 32
      const shift = ((group >> 1) & 1) * 4
      const high = at + 128 + (group >> 2) * 32
      const lift = (group & 3) * 2
      for (let part = 0; part < 2; part++) {
        const scale = d * signed(bytes[at + 192 + group * 2 + part]!)
        for (let i = part * 16; i < part * 16 + 16; i++) {
          const q = ((bytes[low + i]! >> shift) & 15) | (((bytes[high + i]! >> lift) & 3) << 4)
          out[to + group * 32 + i] = scale * (q - 32)
        }
      }
    }
  }
}

const KERNELS: Readonly<Record<string, Kernel>> = {
  F32: f32,
  F16: f16,
  BF16: bf16,
  Q8_0: q8_0,
  Q4_0: q4_0,
  Q4_1: q4_1,
  Q5_0: q5_0,
  Q5_1: q5_1,
  Q4_K: q4_k,
  Q5_K: q5_k,
  Q6_K: q6_k,
}
