/** Models as Hugging Face folders: `config.json`, `model.safetensors` (also in shards) and `generation_config.json`. */

import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Device, type DType, type nn, readSafetensors, type Tensor, writeSafetensors } from '@emend/torch'
import { EmendError } from '../errors.js'
import { Decoder, type DecoderConfig, fromHuggingFace, ScalarModel, toHuggingFace } from '../models/index.js'
import { writeAtomically } from '../pipeline/atomic-file.js'

export interface LoadOptions {
  readonly device?: Device
  /** converts the weights; default float32, whatever the file holds */
  readonly dtype?: DType
}

const CAUSAL = 'LlamaForCausalLM'
const SCALAR = 'LlamaForTokenClassification'

/**
 * Loads a causal language model.
 * @throws EmendError naming the file, and the setting or tensor that is missing, wrong or not supported
 */
export async function loadModel(
  folder: string,
  options: LoadOptions = {},
): Promise<{ model: Decoder; config: DecoderConfig }> {
  const config = readConfig(folder, CAUSAL)
  const model = new Decoder(config, place(options))
  loadWeights(folder, model, name => config.tied && name === 'lm_head.weight')
  return { model, config }
}

/**
 * Loads a scalar model (reward or value): LlamaForTokenClassification with one label.
 * @throws EmendError naming the file, and the setting or tensor that is missing, wrong or not supported
 */
export async function loadScalarModel(
  folder: string,
  options: LoadOptions = {},
): Promise<{ model: ScalarModel; config: DecoderConfig }> {
  const config = readConfig(folder, SCALAR)
  const model = new ScalarModel(config, place(options))
  loadWeights(folder, model, () => false)
  return { model, config }
}

/**
 * Writes a causal language model, each file atomically and the config last. Transformers reads the folder;
 * `tokenizer.json` is the tokenizer's to write.
 */
export async function saveModel(folder: string, model: Decoder): Promise<void> {
  mkdirSync(folder, { recursive: true })
  writeSafetensors(join(folder, 'model.safetensors'), model.stateDict(), { format: 'pt' })
  const { bos, eos, pad } = model.config
  writeJson(folder, 'generation_config.json', {
    bos_token_id: bos,
    eos_token_id: eos.length === 1 ? eos[0] : eos.length === 0 ? null : eos,
    pad_token_id: pad,
  })
  writeJson(folder, 'config.json', toHuggingFace(model.config, CAUSAL, model.dtype))
}

/** Writes a scalar model, each file atomically and the config last. */
export async function saveScalarModel(folder: string, model: ScalarModel): Promise<void> {
  mkdirSync(folder, { recursive: true })
  writeSafetensors(join(folder, 'model.safetensors'), model.stateDict(), { format: 'pt' })
  writeJson(folder, 'config.json', toHuggingFace(model.config, SCALAR, model.dtype))
}

const place = ({ device = 'cpu', dtype = 'float32' }: LoadOptions) => ({ device, dtype })

const writeJson = (folder: string, name: string, value: unknown): void =>
  writeAtomically(join(folder, name), `${JSON.stringify(value, null, 2)}\n`)

function readJson(path: string): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new EmendError(`${path}: cannot be read: ${(cause as Error).message}`, { cause })
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new EmendError(`${path}: got no JSON: ${(cause as Error).message.replace(/\s+/g, ' ')}`, { cause })
  }
}

function readConfig(folder: string, architecture: string): DecoderConfig {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new EmendError(`${folder}: no such folder, expected one with config.json and model.safetensors`)
  }
  const path = join(folder, 'config.json')
  const json = readJson(path) as Record<string, unknown> | null
  const named = json?.['architectures']
  if (!Array.isArray(named) || !named.includes(architecture)) {
    throw new EmendError(
      `${path}: architectures: got ${JSON.stringify(named) ?? 'nothing'}, expected ["${architecture}"]`,
    )
  }
  const config = fromHuggingFace(json, path)
  const labels =
    json?.['num_labels'] ?? Object.keys((json?.['id2label'] as object | undefined) ?? { 0: '', 1: '' }).length
  if (architecture === SCALAR && labels !== 1) {
    throw new EmendError(`${path}: got ${labels} labels, expected one (id2label)`)
  }
  // The ids that really end a response often stand only here (instruction-tuned Llamas).
  const generation = join(folder, 'generation_config.json')
  if (!existsSync(generation)) return config
  const eos = (readJson(generation) as Record<string, unknown> | null)?.['eos_token_id']
  const ids = Array.isArray(eos) ? eos : eos == null ? [] : [eos]
  return fromHuggingFace({ ...json, eos_token_id: [...new Set([...ids, ...config.eos])] }, generation)
}

/** The weight files: one, or the shards that an index names. */
function weightFiles(folder: string): string[] {
  const single = join(folder, 'model.safetensors')
  if (existsSync(single)) return [single]
  const index = join(folder, 'model.safetensors.index.json')
  if (!existsSync(index)) {
    throw new EmendError(`${folder}: neither model.safetensors nor model.safetensors.index.json is there`)
  }
  const map = (readJson(index) as Record<string, unknown> | null)?.['weight_map']
  if (typeof map !== 'object' || map === null) throw new EmendError(`${index}: weight_map: expected an object`)
  return [...new Set(Object.values(map))].map(file => {
    if (typeof file !== 'string' || /[/\\]/.test(file)) {
      throw new EmendError(`${index}: weight_map: got ${JSON.stringify(file)}, expected the name of a file beside it`)
    }
    return join(folder, file)
  })
}

function loadWeights(folder: string, model: nn.Module, ignored: (name: string) => boolean): void {
  const state = new Map<string, Tensor>()
  try {
    for (const file of weightFiles(folder))
      for (const [name, tensor] of readSafetensors(file).tensors) state.set(name, tensor)
    const wanted = model.stateDict()
    // Old folders also hold the frequencies of the rotary positions, which follow from the config.
    const idle = (name: string) => ignored(name) || name.endsWith('.rotary_emb.inv_freq')
    const fits = new Map([...state].filter(([name]) => wanted.has(name) || !idle(name)))
    model.loadStateDict(fits)
  } catch (error) {
    model.dispose()
    throw error instanceof EmendError
      ? error
      : new EmendError(`${folder}: ${(error as Error).message}`, { cause: error })
  } finally {
    for (const tensor of state.values()) tensor.dispose()
  }
}
