/** The tiny GGUF files that tests read, and changed copies of them. */

import { dequantize } from './dequantize.js'
import type { Value } from './format.js'
import { readGgufHeader } from './header.js'
import { readBytes } from './tensor-data.js'
import { type Entry, writeGguf } from './writer.js'

/** Made by goldens/gguf/make-families.py. */
export const golden = (name: string): string => new URL(`../../../goldens/gguf/${name}.gguf`, import.meta.url).pathname

/** What a changed copy has otherwise: metadata (undefined leaves a key out), and shapes of tensors (undefined leaves it out). */
export interface Change {
  readonly metadata?: Readonly<Record<string, Value | undefined>>
  readonly shapes?: Readonly<Record<string, readonly number[] | undefined>>
}

/** Writes a copy of a file, in float32, with something changed. */
export function changed(from: string, to: string, { metadata = {}, shapes = {} }: Change): void {
  const header = readGgufHeader(from)
  const values = new Map([...header.metadata, ...Object.entries(metadata)])
  const tensors = new Map(
    [...header.tensors].map(([name, { shape }]) => [name, shape as readonly number[] | undefined]),
  )
  for (const [name, shape] of Object.entries(shapes)) tensors.set(name, shape)
  writeGguf(
    to,
    [...values].flatMap(([key, value]) => (value === undefined ? [] : [[key, typeOf(key, value), value] as Entry])),
    [...tensors].flatMap(([name, shape]) => {
      if (!shape) return []
      const numbers = new Float32Array(shape.reduce((product, n) => product * n, 1))
      const held = header.tensors.get(name)
      if (held && held.shape.join() === shape.join()) dequantize(held.type, readBytes(from, held), numbers)
      return [{ name, shape, type: 'F32' as const, numbers: () => numbers }]
    }),
  )
}

function typeOf(key: string, value: Value): Entry[1] {
  if (Array.isArray(value))
    return [typeof value[0] === 'string' ? 'string' : key.endsWith('scores') ? 'float32' : 'int32']
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'string') return 'string'
  return Number.isInteger(value) && !/freq|epsilon|factor|softcap/.test(key) ? 'uint32' : 'float32'
}
