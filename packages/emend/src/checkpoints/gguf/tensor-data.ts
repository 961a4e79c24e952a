/** The bytes and numbers of a GGUF file's tensors, read by ranges. */

import { closeSync, openSync, readSync } from 'node:fs'
import { EmendError } from '../../errors.js'
import { dequantize } from './dequantize.js'
import type { GgufTensor } from './header.js'

/** Read at a time; a whole number of blocks of every type is cut from it. */
const PIECE = 1 << 22

/** All bytes of a small tensor. */
export function readBytes(path: string, { begin, end }: Pick<GgufTensor, 'begin' | 'end'>): Uint8Array {
  const file = openSync(path, 'r')
  try {
    return fill(file, path, new Uint8Array(end - begin), begin)
  } finally {
    closeSync(file)
  }
}

/** All numbers of a tensor as float32; its bytes pass through a buffer of 4 MiB. */
export function readNumbers(file: number, path: string, tensor: GgufTensor): Float32Array {
  const { type, begin, end } = tensor
  const out = new Float32Array(((end - begin) / type.bytes) * type.elements)
  const step = Math.floor(PIECE / type.bytes) * type.bytes
  const buffer = new Uint8Array(Math.min(step, end - begin))
  for (let at = begin, to = 0; at < end; at += step) {
    const piece = fill(file, path, buffer.subarray(0, Math.min(step, end - at)), at)
    dequantize(type, piece, out, to)
    to += (piece.length / type.bytes) * type.elements
  }
  return out
}

function fill(file: number, path: string, bytes: Uint8Array, at: number): Uint8Array {
  for (let done = 0; done < bytes.length; ) {
    const got = readSync(file, bytes, done, bytes.length - done, at + done)
    if (got === 0) throw new EmendError(`${path}: the file became shorter while it was read`)
    done += got
  }
  return bytes
}
