/** Loads a GGUF file: a decoder with float weights, and its tokenizer. */

import { closeSync, openSync } from 'node:fs'
import { type Device, type DType, noGrad, scope, tensor } from '@emend/torch'
import { EmendError } from '../../errors.js'
import { Decoder, type DecoderConfig } from '../../models/index.js'
import type { Tokenizer } from '../../text/index.js'
import { readConfig } from './architectures.js'
import { type GgufHeader, readGgufHeader } from './header.js'
import { DIVISORS } from './rope-scaling.js'
import { readNumbers } from './tensor-data.js'
import { fromFile, type Row, tensorTable } from './tensors.js'
import { tokenizerFiles } from './vocabulary.js'

/** What the header of a file says, held against itself: its tensors are those of its architecture, in the right shapes. */
export interface GgufModel {
  readonly header: GgufHeader
  readonly config: DecoderConfig
  readonly rows: readonly Row[]
  /** the type that most of its bytes are in */
  readonly type: string
}

/**
 * Reads what a file holds without its weights.
 * @throws EmendError naming the file and what is missing, wrong or not supported
 */
export function openGguf(path: string): GgufModel {
  const header = readGgufHeader(path)
  const { architecture, config } = readConfig(header)
  const tokens = header.metadata.get('tokenizer.ggml.tokens')
  if (Array.isArray(tokens) && tokens.length !== config.vocabSize) {
    throw new EmendError(
      `${path}: tokenizer.ggml.tokens: got ${tokens.length} tokens, but token_embd.weight has ${config.vocabSize} rows`,
    )
  }
  const rows = tensorTable(config, architecture)
  const wanted = new Set(rows.map(row => row.name))
  for (const { name, shape } of rows) {
    const found = header.tensors.get(name)
    if (!found) throw new EmendError(`${path}: missing tensor ${name}`)
    if (found.shape.length !== shape.length || found.shape.some((n, i) => n !== shape[i])) {
      throw new EmendError(`${path}: tensor ${name}: got shape [${found.shape}], expected [${shape}]`)
    }
  }
  for (const name of header.tensors.keys()) {
    if (!wanted.has(name) && name !== DIVISORS && !/\.attn_rot_embd\.weight$/.test(name)) {
      throw new EmendError(`${path}: unexpected tensor ${name}: no part of a ${architecture.name} as described here`)
    }
  }
  const bytes = new Map<string, number>()
  for (const { type, begin, end } of header.tensors.values()) {
    bytes.set(type.name, (bytes.get(type.name) ?? 0) + end - begin)
  }
  const [most] = [...bytes].sort((a, b) => b[1] - a[1])
  return { header, config, rows, type: most![0] }
}

export interface LoadGgufOptions {
  readonly device?: Device
  /** converts the weights; default float32, whatever the file holds */
  readonly dtype?: DType
}

/**
 * Loads a model and its tokenizer from a GGUF file.
 * @throws EmendError naming the file, and the key or tensor that is missing, wrong or not supported
 */
export async function loadGguf(
  path: string,
  options: LoadGgufOptions = {},
): Promise<{ model: Decoder; config: DecoderConfig; tokenizer: Tokenizer }> {
  const opened = openGguf(path)
  const { json, config: settings } = tokenizerFiles(opened.header)
  // Where only weights are read, the native library of tokenizers need not be there.
  const { Tokenizer } = await import('../../text/index.js')
  const tokenizer = Tokenizer.parse(JSON.stringify(json), { where: path, config: settings })
  return { model: loadGgufWeights(opened, options), config: opened.config, tokenizer }
}

/** The decoder alone; the weights are converted tensor by tensor from whatever the file holds. */
export function loadGgufWeights(
  { header, config, rows }: GgufModel,
  { device = 'cpu', dtype = 'float32' }: LoadGgufOptions = {},
): Decoder {
  const { path } = header
  const model = new Decoder(config, { device, dtype })
  const file = openSync(path, 'r')
  try {
    const state = model.stateDict()
    for (const row of rows) {
      const values = readNumbers(file, path, header.tensors.get(row.name)!)
      scope(() =>
        noGrad(() => {
          const weights = fromFile(row, tensor(values, { shape: row.shape }))
          for (const [i, { name }] of row.parts.entries()) {
            state.get(name)!.copy_(weights[i]!)
            state.delete(name)
          }
        }),
      )
    }
    if (state.size > 0) throw new Error(`${path}: no tensor for ${[...state.keys()].join(', ')}`)
  } catch (error) {
    model.dispose()
    throw error
  } finally {
    closeSync(file)
  }
  return model
}
