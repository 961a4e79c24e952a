/** From a Hugging Face folder to a GGUF file and back, or from one dtype to another. */

import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { DType } from '@emend/torch'
import { EmendError } from '../../errors.js'
import { type Decoder, mergeAdapter } from '../../models/index.js'
import { writeAtomically } from '../../pipeline/atomic-file.js'
import { parseTokenizerJson } from '../../text/tokenizer-json.js'
import { refuseNonFinite } from '../finite.js'
import { loadModel, saveModel } from '../hugging-face.js'
import { readJson, writeJson } from '../json-file.js'
import { baseOfAdapter, isAdapter, loadAdapter } from '../peft.js'
import type { WrittenType } from './quantize.js'
import { loadGgufWeights, openGguf } from './read.js'
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
 * Converts a model with its tokenizer and chat template. An adapter's folder is merged into the weights that it names.
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
  const { model, tokenizer, stored, carryFrom } = await load(source, to, type)
  try {
    refuseNonFinite(model.parameters(), source)
    const chosen = type ?? (to === 'gguf' && stored === 'f32' ? 'f16' : stored)
    if (to === 'gguf') {
      saveGguf(destination, model, tokenizer(), { type: WRITTEN[chosen], name: nameOf(source) })
    } else {
      const dtype = DTYPES[chosen as keyof typeof DTYPES]
      await saveModel(destination, model, { dtype, ...(carryFrom !== undefined && { carryFrom }) })
      if (carryFrom === undefined) saveTokenizer(destination, tokenizer())
    }
    let parameters = 0
    for (const tensor of model.stateDict().values()) parameters += tensor.numel
    return { format: to, type: chosen, parameters }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (cause instanceof EmendError || typeof code !== 'string') throw cause
    throw new EmendError(`${destination}: cannot be written (${code}); choose another destination`, { cause })
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
  /** the folder whose other files belong to the model */
  readonly carryFrom?: string
}

const load = (source: string, to: ModelFormat, type: StoredType | undefined): Promise<Loaded> =>
  isGguf(source) ? fromFile(source, to, type) : isAdapter(source) ? fromAdapter(source) : fromFolder(source, 'auto')

async function fromFolder(folder: string, dtype: DType | 'auto'): Promise<Loaded> {
  const { model } = await loadModel(folder, { dtype })
  const stored = (Object.keys(DTYPES) as (keyof typeof DTYPES)[]).find(key => DTYPES[key] === model.dtype) ?? 'f32'
  return { model, stored, tokenizer: () => readTokenizerFiles(folder), carryFrom: folder }
}

async function fromFile(path: string, to: ModelFormat, type: StoredType | undefined): Promise<Loaded> {
  const opened = openGguf(path)
  const stored: StoredType = opened.type === 'F16' ? 'f16' : opened.type === 'BF16' ? 'bf16' : 'f32'
  // Only where the numbers end up in two bytes anyway may they pass through two.
  const target = type ?? stored
  const dtype = to === 'hf' && target !== 'q8_0' ? DTYPES[target] : 'float32'
  return { model: loadGgufWeights(opened, { dtype }), stored, tokenizer: () => tokenizerFiles(opened.header) }
}

/** The base that an adapter names, with the adapter merged into it, in float32. */
async function fromAdapter(folder: string): Promise<Loaded> {
  const path = baseOfAdapter(folder) as string
  const base = isGguf(path) ? await fromFile(path, 'hf', 'f32') : await fromFolder(path, 'float32')
  try {
    const adapted = loadAdapter(folder, base.model)
    return { ...base, model: mergeAdapter(adapted) }
  } finally {
    base.model.dispose()
  }
}

function saveTokenizer(folder: string, { json, config }: TokenizerFiles): void {
  writeAtomically(join(folder, 'tokenizer.json'), JSON.stringify(json))
  writeJson(folder, 'tokenizer_config.json', config)
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
