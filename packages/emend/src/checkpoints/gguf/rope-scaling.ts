/** How a GGUF file says that rotations are slowed down: keys for `linear` and `yarn`, a tensor of divisors for Llama 3's. */

import { EmendError } from '../../errors.js'
import { frequencies, type RopeScaling } from '../../models/rope.js'
import { dequantize } from './dequantize.js'
import type { GgufHeader } from './header.js'
import { Metadata } from './metadata.js'
import { readBytes } from './tensor-data.js'
import type { Entry } from './writer.js'

/** [headDim / 2] what each frequency is divided by. */
export const DIVISORS = 'rope_freqs.weight'

/** What models with these divisors were made with; the file does not say. The context trained on was a power of two. */
const LLAMA3 = { type: 'llama3', lowFrequencyFactor: 1, highFrequencyFactor: 4 } as const
const ORIGINAL_POSITIONS = [8192, ...Array.from({ length: 21 }, (_, i) => 2 ** (i + 4))]

/** YaRN with the settings that llama.cpp has built in. */
const yarn = (factor: number, originalPositions: number): RopeScaling => ({
  type: 'yarn',
  factor,
  magnitude: 0.1 * Math.log(factor) + 1,
  betaFast: 32,
  betaSlow: 1,
  truncate: true,
  originalPositions,
})

/**
 * @param key makes a full key of one such as `rope.scaling.type`
 * @throws EmendError where a kind of scaling or its divisors are not known
 */
export function readRopeScaling(
  header: GgufHeader,
  key: (suffix: string) => string,
  theta: number,
  headDim: number,
): RopeScaling | null {
  const metadata = new Metadata(header)
  const type = metadata.optionalString(key('rope.scaling.type')) ?? 'none'
  const given = metadata.number(key('rope.scaling.factor'), null)
  const original = metadata.whole(key('rope.scaling.original_context_length'), null)
  const divisors = header.tensors.get(DIVISORS)
  if (type === 'yarn' && given !== null && original !== null && !divisors) return yarn(given, original)
  if (type === 'linear' && given !== null && !divisors) return given === 1 ? null : { type, factor: given }
  if (type !== 'none') {
    return metadata.fail(key('rope.scaling.type'), `${JSON.stringify(type)} with these settings is not supported`)
  }
  if (!divisors) return null
  if (divisors.shape.length !== 1 || divisors.shape[0] !== headDim / 2) {
    throw new EmendError(`${header.path}: ${DIVISORS}: got shape [${divisors.shape}], expected [${headDim / 2}]`)
  }
  const values = new Float32Array(headDim / 2)
  dequantize(divisors.type, readBytes(header.path, divisors), values)
  if (values.every(value => value === 1)) return null
  const factor = Math.max(...values)
  for (const originalPositions of ORIGINAL_POSITIONS) {
    const guess: RopeScaling = { ...LLAMA3, factor, originalPositions }
    const expected = llama3Divisors(guess, theta, headDim)
    if (values.every((value, i) => Math.abs(value - expected[i]!) < 1e-4 * expected[i]!)) return guess
  }
  throw new EmendError(`${header.path}: ${DIVISORS}: these divisors are not Llama 3's, and others are not supported`)
}

/** The keys of a scaling, without the architecture's name; what llama.cpp has no key for does not come back on reading. */
export function ropeScalingEntries(scaling: RopeScaling | null): Entry[] {
  if (scaling?.type !== 'linear' && scaling?.type !== 'yarn') return []
  const entries: Entry[] = [
    ['rope.scaling.type', 'string', scaling.type],
    ['rope.scaling.factor', 'float32', scaling.factor],
  ]
  if (scaling.type === 'yarn') {
    entries.push(['rope.scaling.original_context_length', 'uint32', scaling.originalPositions])
  }
  return entries
}

/** The divisors of Llama 3's scaling. */
export function llama3Divisors(scaling: RopeScaling, theta: number, headDim: number): Float32Array {
  const slowed = frequencies(headDim, theta, scaling)
  return Float32Array.from(frequencies(headDim, theta), (f, i) => f / slowed[i]!)
}
