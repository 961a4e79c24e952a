/** From a Hugging Face folder to a GGUF file and back, or from one dtype to another. */

import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { DType } from '@emend/torch'
import { EmendError } from '../../errors.js'
import type { Decoder } from '../../models/index.js'
import { parseTokenizerJson } from '../../text/tokenizer-json.js'
import { loadModel, saveModel } from '../hugging-face.js'
import { readJson } from '../json-file.js'
import type { WrittenType } from './quantize.js'
import { loadGguf, openGguf } from './read.js'
import { type TokenizerFiles, tokenizerFiles } from './vocabulary.js'
import { saveGguf } from './write.js'

export type ModelFormat = 'hf' | 'gguf'

/** How numbers are stored; `q8_0` only in a GGUF file. */
export type StoredType = 'f32' | 'f16' | 'bf16' | 'q8_0'

export interface ConvertOptions {
  /** default: a GGUF file where the destination ends so, else a folder */
  readonly to?: ModelFormat
  /** default: what the source has most of; what a quantised file holds becomes f32 in a folder and f16 in a GGUF file */
  readonly type?: StoredType
}

const DTYPES: Readonly<Record<Exclude<StoredType, 'q8_0'>, DType>> = {
  f32: 'float32',
  f16: 'float16',
  bf16: 'bfloat16',
}
const WRITTEN: Readonly<Record<StoredType, WrittenType>> = { f32: 'F32', f16: 'F16', bf16: 'BF16', q8_0: 'Q8_0' }

/** Whether a path is meant as a GGUF file. */
export const isGguf = (path: string): boolean => path.toLowerCase().endsWith('.gguf')

/**
 * Converts a model with its tokenizer and chat template.
 * @returns what was written
 * @throws EmendError naming the file and what cannot be read or has no place in the other format
 */
export async function convertModel(
  source: string,
  destination: string,
  { to = isGguf(destination) ? 'gguf' : 'hf', type }: ConvertOptions = {},
): Promise<{ readonly format: ModelFormat; readonly type: StoredType; readonly parameters: number }> {
  if (existsSync(destination) && realpathSync(source) === realpathSync(destination)) {
    throw new EmendError(`${destination}: is the source itself; give another destination`)
  }
  if (to === 'hf' && type === 'q8_0') {
    throw new EmendError('q8_0: a Hugging Face folder holds f32, f16 or bf16 numbers; give one of these as the type')
  }
  const loaded = isGguf(source) ? await fromFile(source, to, type) : await fromFolder(source)
  const { model, tokenizer, stored } = loaded
  try {
    const chosen = type ?? (to === 'gguf' && stored === 'f32' ? 'f16' : stored)
    if (to === 'gguf') {
      saveGguf(destination, model, tokenizer(), { type: WRITTEN[chosen], name: nameOf(source) })
    } else {
      const dtype = DTYPES[chosen as keyof typeof DTYPES]
      await saveModel(destination, model, { dtype, ...(!isGguf(source) && { carryFrom: source }) })
      loaded.save?.(destination)
    }
    let parameters = 0
    for (const tensor of model.stateDict().values()) parameters += tensor.numel
    return { format: to, type: chosen, parameters }
  } finally {
    model.dispose()
  }
}

const nameOf = (source: string) => basename(resolve(source)).replace(/\.gguf$/i, '')

interface Loaded {
  readonly model: Decoder
  /** what the source holds */
  readonly stored: StoredType
  tokenizer(): TokenizerFiles
  /** writes the tokenizer where it is not carried over as it is */
  save?(folder: string): void
}

async function fromFolder(folder: string): Promise<Loaded> {
  const { model } = await loadModel(folder, { dtype: 'auto' })
  const stored = (Object.keys(DTYPES) as (keyof typeof DTYPES)[]).find(key => DTYPES[key] === model.dtype) ?? 'f32'
  return { model, stored, tokenizer: () => readTokenizerFiles(folder) }
}

async function fromFile(path: string, to: ModelFormat, type: StoredType | undefined): Promise<Loaded> {
  const { header, type: most } = openGguf(path)
  const stored: StoredType = most === 'F16' ? 'f16' : most === 'BF16' ? 'bf16' : 'f32'
  // Only where the numbers end up in two bytes anyway may they pass through two.
  const target = type ?? stored
  const dtype = to === 'hf' && target !== 'q8_0' ? DTYPES[target] : 'float32'
  const { model, tokenizer } = await loadGguf(path, { dtype })
  return {
    model,
    stored,
    tokenizer: () => tokenizerFiles(header),
    save: (folder: string) => tokenizer.save(folder),
  }
}

/** The tokenizer's files of a folder; a chat template may stand in one of its own. */
export function readTokenizerFiles(folder: string): TokenizerFiles {
  const path = join(folder, 'tokenizer.json')
  if (!existsSync(path)) throw new EmendError(`${path}: no such file; a GGUF file needs the tokenizer`)
  const json = parseTokenizerJson(JSON.stringify(readJson(path)), path)
  const settings = join(folder, 'tokenizer_config.json')
  const config = existsSync(settings) ? (readJson(settings) as Record<string, unknown>) : {}
  const template = join(folder, 'chat_template.jinja')
  return { json, config: existsSync(template) ? { ...config, chat_template: readFileSync(template, 'utf8') } : config }
}
