/** Writes GGUF files: metadata and tensor list first, then each tensor as it is made; the file appears whole or not at all. */

import { writeSync } from 'node:fs'
import { writingAtomically } from '../../pipeline/atomic-file.js'
import { ALIGNMENT, MAGIC, VALUE_TYPES, type ValueType } from './format.js'
import { quantize, type WrittenType, writtenType } from './quantize.js'

type Scalar = Exclude<ValueType, 'array'>

/** One entry of the metadata; `[type]` is an array of it. */
export type Entry = readonly [
  key: string,
  type: Scalar | readonly [Scalar],
  value: number | boolean | string | readonly (number | boolean | string)[],
]

/** A tensor to be written; its numbers are asked for when its turn comes. */
export interface WrittenTensor {
  readonly name: string
  /** slowest dimension first */
  readonly shape: readonly number[]
  readonly type: WrittenType
  numbers(): Float32Array
}

/** Writes a file of version 3, aligned to 32 bytes. */
export function writeGguf(path: string, entries: readonly Entry[], tensors: readonly WrittenTensor[]): void {
  const header = new Bytes()
  header.scalar('uint32', MAGIC)
  header.scalar('uint32', 3)
  header.scalar('uint64', tensors.length)
  header.scalar('uint64', entries.length)
  for (const [key, type, value] of entries) {
    header.scalar('string', key)
    header.value(type, value)
  }
  let offset = 0
  for (const { name, shape, type } of tensors) {
    const { code, type: layout } = writtenType(type)
    header.scalar('string', name)
    header.scalar('uint32', shape.length)
    for (const size of [...shape].reverse()) header.scalar('uint64', size)
    header.scalar('uint32', code)
    header.scalar('uint64', offset)
    const count = shape.reduce((product, n) => product * n, 1)
    offset += aligned((count / layout.elements) * layout.bytes)
  }

  writingAtomically(path, file => {
    writePadded(file, header.bytes())
    for (const { type, numbers } of tensors) writePadded(file, quantize(type, numbers()))
  })
}

const aligned = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT

function writePadded(file: number, bytes: Uint8Array): void {
  // A single write takes at most 2 GiB.
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, Math.min(bytes.length - done, 1 << 26))
  writeSync(file, new Uint8Array(aligned(bytes.length) - bytes.length))
}

/** Bytes that grow. */
class Bytes {
  #buffer = Buffer.allocUnsafe(1 << 16)
  #length = 0

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  value(type: Entry[1], value: Entry[2]): void {
    if (typeof type === 'string') {
      this.scalar('uint32', VALUE_TYPES.indexOf(type))
      this.scalar(type, value as number | boolean | string)
      return
    }
    const [of] = type
    const values = value as readonly (number | boolean | string)[]
    this.scalar('uint32', VALUE_TYPES.indexOf('array'))
    this.scalar('uint32', VALUE_TYPES.indexOf(of))
    this.scalar('uint64', values.length)
    for (const each of values) this.scalar(of, each)
  }

  scalar(type: Scalar, value: number | boolean | string): void {
    if (type === 'string') {
      const length = Buffer.byteLength(value as string)
      this.scalar('uint64', length)
      this.#grow(length)
      this.#buffer.write(value as string, this.#length)
      this.#length += length
      return
    }
    this.#grow(8)
    const buffer = this.#buffer
    const number = Number(value)
    const at = this.#length
    const write: Readonly<Record<Exclude<Scalar, 'string'>, () => number>> = {
      uint8: () => buffer.writeUInt8(number, at),
      int8: () => buffer.writeInt8(number, at),
      bool: () => buffer.writeUInt8(number, at),
      uint16: () => buffer.writeUInt16LE(number, at),
      int16: () => buffer.writeInt16LE(number, at),
      uint32: () => buffer.writeUInt32LE(number, at),
      int32: () => buffer.writeInt32LE(number, at),
      float32: () => buffer.writeFloatLE(number, at),
      uint64: () => buffer.writeBigUInt64LE(BigInt(number), at),
      int64: () => buffer.writeBigInt64LE(BigInt(number), at),
      float64: () => buffer.writeDoubleLE(number, at),
    }
    this.#length = write[type]()
  }

  #grow(by: number): void {
    if (this.#length + by <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + by))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }
}
