/** Models as Hugging Face folders: `config.json`, `model.safetensors` (also in shards) and `generation_config.json`. */

import { existsSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Device, DType, nn } from '@emend/torch'
import { EmendError } from '../errors.js'
import type { DecoderConfig } from '../models/config.js'
import { Decoder } from '../models/decoder.js'
import { architectureOf, familyOf, fromHuggingFace, type ModelKind, toHuggingFace } from '../models/families/index.js'
import { ScalarModel } from '../models/heads.js'
import { carryFiles } from './carry.js'
import { readJson, writeJson } from './json-file.js'
import { copyWeights, placeWeights, readWeightHeaders, storedDtype, writeWeights } from './weights.js'

export interface LoadOptions {
  readonly device?: Device
  /** converts the weights; default float32, whatever the file holds; `auto` is what most of the file is in */
  readonly dtype?: DType | 'auto'
}

export interface SaveOptions {
  /** converts the weights; default the model's */
  readonly dtype?: DType
  /** weights are split into files of at most this size; default 5 GB */
  readonly maxShardBytes?: number
  /** a folder whose other files (tokenizer, chat templates, generation settings, licence, …) come along */
  readonly carryFrom?: string
}

/**
 * Loads a causal language model of any family (see `models/families`).
 * @throws EmendError naming the file, and the setting or tensor that is missing, wrong or not supported
 */
export async function loadModel(
  folder: string,
  options: LoadOptions = {},
): Promise<{ model: Decoder; config: DecoderConfig }> {
  return load(folder, 'causal', options, (config, place) => new Decoder(config, place))
}

/**
 * Loads a scalar model (reward or value): a token classifier with one label, such as LlamaForTokenClassification.
 * @throws EmendError naming the file, and the setting or tensor that is missing, wrong or not supported
 */
export async function loadScalarModel(
  folder: string,
  options: LoadOptions = {},
): Promise<{ model: ScalarModel; config: DecoderConfig }> {
  return load(folder, 'token-classification', options, (config, place) => new ScalarModel(config, place))
}

function load<M extends nn.Module>(
  folder: string,
  kind: ModelKind,
  { device = 'cpu', dtype = 'float32' }: LoadOptions,
  make: (config: DecoderConfig, place: { device: Device; dtype: DType }) => M,
): { model: M; config: DecoderConfig } {
  const config = readConfig(folder, kind)
  const entries = readWeightHeaders(folder)
  const placement = placeWeights(entries, config, kind, folder)
  const model = make(config, { device, dtype: dtype === 'auto' ? storedDtype(entries) : dtype })
  try {
    copyWeights(entries, placement, model)
  } catch (error) {
    model.dispose()
    throw error
  }
  return { model, config }
}

/**
 * Writes a causal language model, each file atomically and the config last. Transformers reads the folder;
 * `tokenizer.json` is the tokenizer's to write, or carried over.
 * @throws EmendError when an adapter has not been merged, or `carryFrom` is no folder
 */
export async function saveModel(folder: string, model: Decoder, options: SaveOptions = {}): Promise<void> {
  const { bos, eos, pad } = model.config
  save(folder, model, 'causal', options, () => {
    const source = options.carryFrom && join(options.carryFrom, 'generation_config.json')
    const carried = source && existsSync(source) ? (readJson(source) as object) : {}
    writeJson(folder, 'generation_config.json', {
      ...carried,
      bos_token_id: bos,
      eos_token_id: eos.length === 1 ? eos[0] : eos.length === 0 ? null : eos,
      pad_token_id: pad,
    })
  })
}

/**
 * Writes a scalar model as a token classifier with one label, each file atomically and the config last.
 * @throws EmendError when transformers has no token classifier of the family, or an adapter has not been merged
 */
export async function saveScalarModel(folder: string, model: ScalarModel, options: SaveOptions = {}): Promise<void> {
  save(folder, model, 'token-classification', options)
}

function save(
  folder: string,
  model: Decoder | ScalarModel,
  kind: ModelKind,
  { dtype = model.dtype, maxShardBytes = 5e9, carryFrom }: SaveOptions,
  beforeConfig: () => void = () => {},
): void {
  const config = toHuggingFace(model.config, kind, dtype)
  mkdirSync(folder, { recursive: true })
  if (carryFrom !== undefined) carryFiles(carryFrom, folder)
  writeWeights(folder, model, kind, { maxShardBytes, dtype })
  beforeConfig()
  writeJson(folder, 'config.json', config)
}

/**
 * The config of a folder's model.
 * @throws EmendError naming the file and the setting that is missing, wrong or not supported
 */
function readConfig(folder: string, kind: ModelKind): DecoderConfig {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new EmendError(`${folder}: no such folder, expected one with config.json and model.safetensors`)
  }
  const path = join(folder, 'config.json')
  const json = readJson(path) as Record<string, unknown> | null
  const architecture = architectureOf(familyOf(json?.['model_type'], path), kind)
  const named = json?.['architectures']
  if (!Array.isArray(named) || !named.includes(architecture)) {
    throw new EmendError(
      `${path}: architectures: got ${JSON.stringify(named) ?? 'nothing'}, expected ["${architecture}"]`,
    )
  }
  const config = fromHuggingFace(json, path)
  const labels =
    json?.['num_labels'] ?? Object.keys((json?.['id2label'] as object | undefined) ?? { 0: '', 1: '' }).length
  if (kind === 'token-classification' && labels !== 1) {
    throw new EmendError(`${path}: got ${labels} labels, expected one (id2label)`)
  }
  // The ids that really end a response often stand only here (instruction-tuned models).
  const generation = join(folder, 'generation_config.json')
  if (!existsSync(generation)) return config
  const eos = (readJson(generation) as Record<string, unknown> | null)?.['eos_token_id']
  const ids = Array.isArray(eos) ? eos : eos == null ? [] : [eos]
  return fromHuggingFace({ ...json, eos_token_id: [...new Set([...ids, ...config.eos])] }, generation)
}
