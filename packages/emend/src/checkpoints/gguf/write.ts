/** Saves a model as a GGUF file that llama.cpp, Ollama and their kin read. */

import { isDeepStrictEqual } from 'node:util'
import { noGrad, scope } from '@emend/torch'
import { EmendError } from '../../errors.js'
import type { Decoder, DecoderConfig } from '../../models/index.js'
import { architectureFor, configEntries, readConfig } from './architectures.js'
import type { Value } from './format.js'
import type { GgufTensor } from './header.js'
import type { WrittenType } from './quantize.js'
import { DIVISORS, llama3Divisors } from './rope-scaling.js'
import { tensorTable, toFile } from './tensors.js'
import type { TokenizerFiles } from './vocabulary.js'
import { vocabularyEntries } from './vocabulary-entries.js'
import { type Entry, type WrittenTensor, writeGguf } from './writer.js'

export interface SaveGgufOptions {
  /** of the matrices; norms and biases are float32 always. Default F16 */
  readonly type?: WrittenType
  /** `general.name` */
  readonly name?: string
}

/** `general.file_type` (`llama_ftype`). */
const FILE_TYPES: Readonly<Record<WrittenType, number>> = { F32: 0, F16: 1, Q8_0: 7, BF16: 32 }

/**
 * Writes a GGUF file, tensor by tensor; it appears complete or not at all.
 * @throws EmendError naming the setting of the model, or the part of the tokenizer, that llama.cpp cannot be told
 */
export function saveGguf(
  path: string,
  model: Decoder,
  tokenizer: TokenizerFiles,
  { type = 'F16', name }: SaveGgufOptions = {},
): void {
  const { config } = model
  const architecture = architectureFor(config.family)
  const state = model.stateDict()
  const tensors: WrittenTensor[] = []
  if (config.ropeScaling?.type === 'llama3') {
    const divisors = llama3Divisors(config.ropeScaling, config.ropeTheta, config.headDim)
    tensors.push({ name: DIVISORS, shape: [divisors.length], type: 'F32', numbers: () => divisors })
  }
  for (const row of tensorTable(config, architecture)) {
    const parts = row.parts.map(part => state.get(part.name)!)
    tensors.push({
      name: row.name,
      shape: row.shape,
      type: typeOf(row.name, row.shape, type),
      numbers: () =>
        scope(() =>
          noGrad(() =>
            toFile(
              row,
              parts.map(part => part.to('float32')),
            ),
          ).floats(),
        ),
    })
  }
  const described = configEntries(config, architecture)
  const entries: Entry[] = [
    ['general.architecture', 'string', architecture.name],
    ['general.type', 'string', 'model'],
    ...(name === undefined ? [] : [['general.name', 'string', name] as const]),
    ['general.file_type', 'uint32', FILE_TYPES[type]],
    ['general.quantization_version', 'uint32', 2],
    ...described,
    ...vocabularyEntries(tokenizer, config),
  ]
  refuseWhatIsLost(config, entries, tensors)
  writeGguf(path, entries, tensors)
}

/** llama.cpp's choice: what is small, or added and not multiplied, stays float32; rows that do not fill blocks are F16. */
function typeOf(name: string, shape: readonly number[], type: WrittenType): WrittenType {
  if (shape.length === 1 || name === 'position_embd.weight') return 'F32'
  return type === 'Q8_0' && shape.at(-1)! % 32 !== 0 ? 'F16' : type
}

/** Reads the metadata back: a setting that comes back as another one is one that the format has no key for. */
function refuseWhatIsLost(config: DecoderConfig, entries: readonly Entry[], tensors: readonly WrittenTensor[]): void {
  const metadata = new Map<string, Value>(entries.map(([key, type, value]) => [key, rounded(type, value)]))
  const listed = new Map<string, GgufTensor>()
  // The divisors are what the scaling makes of θ, and stand in no file yet.
  const scaling = config.ropeScaling?.type === 'llama3' ? config.ropeScaling : undefined
  for (const { name, shape } of tensors) {
    if (name !== DIVISORS)
      listed.set(name, { name, shape, type: { name: 'F32', elements: 1, bytes: 4 }, begin: 0, end: 0 })
  }
  const read = readConfig({ path: 'GGUF', metadata, tensors: listed }).config
  const back: DecoderConfig = { ...read, ...(scaling && { ropeScaling: scaling }) }
  for (const key of Object.keys(config) as (keyof DecoderConfig)[]) {
    // Mistral is written as a Llama; which of several ids ends a text is the tokenizer's to say.
    if (key === 'family' || key === 'bos' || key === 'eos' || key === 'pad') continue
    if (!close(config[key], back[key])) {
      throw new EmendError(
        `GGUF: the model's ${key} ${JSON.stringify(config[key])} cannot be written: llama.cpp takes a ` +
          `${config.family} to have ${JSON.stringify(back[key])}`,
      )
    }
  }
}

function rounded(type: Entry[1], value: Entry[2]): Value {
  return type === 'float32' ? Math.fround(value as number) : value
}

/** Equal, numbers to a millionth: float32 is all that the file has. */
function close(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number')
    return Math.abs(a - b) <= 1e-6 * Math.max(Math.abs(a), Math.abs(b))
  if (typeof a === 'object' && typeof b === 'object' && a !== null && b !== null) {
    const keys = Object.keys({ ...a, ...b })
    return keys.every(key => close((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
  }
  return isDeepStrictEqual(a, b)
}
