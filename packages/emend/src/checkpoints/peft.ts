/** Adapters as PEFT's folders: `adapter_config.json` and `adapter_model.safetensors`, read and written. */

import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { readSafetensors, type Tensor, writeSafetensors } from '@emend/torch'
import { z } from 'zod'
import { EmendError } from '../errors.js'
import {
  ALL_LINEAR,
  adaptedDecoder,
  adaptedScalar,
  type Decoder,
  type DecoderConfig,
  FAMILIES,
  freeOwn,
  type LoraConfig,
  ScalarModel,
} from '../models/index.js'
import { writeAtomically } from '../pipeline/atomic-file.js'

const CONFIG = 'adapter_config.json'
const WEIGHTS = 'adapter_model.safetensors'

/** What an adapter's folder says of itself. */
export interface AdapterFolder {
  readonly lora: LoraConfig
  /** the folder of the weights that it changes, where it says so and the folder is there */
  readonly base: string | null
  /** CAUSAL_LM, or TOKEN_CLS for a scalar model */
  readonly task: 'CAUSAL_LM' | 'TOKEN_CLS'
}

/** Settings of PEFT that change the numbers, with the values that mean they are off. */
const OFF: Readonly<Record<string, readonly unknown[]>> = {
  lora_dropout: [0],
  bias: ['none'],
  fan_in_fan_out: [false],
  use_dora: [false],
  use_qalora: [false],
  use_bdlora: [null, false],
  lora_bias: [false],
  rank_pattern: [{}, null],
  alpha_pattern: [{}, null],
  layers_to_transform: [null],
  layers_pattern: [null],
  exclude_modules: [null],
  target_parameters: [null],
  trainable_token_indices: [null],
  layer_replication: [null],
  alora_invocation_tokens: [null],
  arrow_config: [null],
  megatron_config: [null],
}

const schema = z.looseObject({
  peft_type: z.literal('LORA'),
  task_type: z.enum(['CAUSAL_LM', 'TOKEN_CLS']),
  r: z.number().int().positive(),
  lora_alpha: z.number().positive(),
  target_modules: z.array(z.string()).min(1),
  use_rslora: z.boolean().default(false),
  base_model_name_or_path: z.string().nullish(),
})

/** True where a folder holds an adapter and not a model. */
export const isAdapter = (folder: string): boolean => existsSync(join(folder, CONFIG))

/**
 * Reads `adapter_config.json`.
 * @throws EmendError naming the key that is missing, wrong or not supported
 */
export function readAdapterFolder(folder: string): AdapterFolder {
  const path = join(folder, CONFIG)
  let json: unknown
  try {
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new EmendError(`${path}: cannot be read: ${(cause as Error).message.replace(/\s+/g, ' ')}`, { cause })
  }
  const { data, error } = schema.safeParse(json)
  if (!data) {
    const issue = error.issues[0]!
    throw new EmendError(`${path}: ${issue.path.join('.')}: ${issue.message}`)
  }
  for (const [key, allowed] of Object.entries(OFF)) {
    const got = data[key]
    if (got !== undefined && !allowed.some(value => JSON.stringify(value) === JSON.stringify(got))) {
      throw new EmendError(
        `${path}: ${key}: got ${JSON.stringify(got)}, which is not supported; expected ${JSON.stringify(allowed[0])}`,
      )
    }
  }
  const { r: rank, lora_alpha: alpha, target_modules: targets, use_rslora: rslora } = data
  return {
    lora: { rank, alpha, targets, ...(rslora && { rslora }) },
    base: placeOf(folder, data.base_model_name_or_path),
    task: data.task_type,
  }
}

/** A relative path is taken from the adapter's folder, as we write it, or else from the current one, as PEFT does. */
function placeOf(folder: string, named: string | null | undefined): string | null {
  if (!named) return null
  const places = isAbsolute(named) ? [named] : [resolve(folder, named), resolve(named)]
  return (
    places.find(place => (place.endsWith('.gguf') ? existsSync(place) : existsSync(join(place, 'config.json')))) ?? null
  )
}

/** A model whose weights adapters may share: its decoder, and the folder or file that holds these weights, if any. */
export interface AdapterBase {
  readonly decoder: Decoder
  readonly base: string | null
}

/**
 * Where the weights that the adapter in `folder` changes are to be read: in `share`, if it is the same model, or else
 * in the folder or file that the adapter names.
 * @throws EmendError when it names none that is there
 */
export function baseOfAdapter<B extends AdapterBase>(folder: string, share?: B): B | string {
  const { base } = readAdapterFolder(folder)
  if (share && (base === null || base === share.base)) return share
  if (base !== null) return base
  throw new EmendError(
    `${folder}: the weights that the adapter changes are not where it says (base_model_name_or_path in ${CONFIG})`,
  )
}

/**
 * Writes the adapter of `model`, and the head of a scalar model, as PEFT does; the config last.
 * @param base the folder of the weights that it changes, written as it is: absolute, or relative to `folder`; default
 * the adapter's `base`
 * @throws EmendError when the model has no adapter
 */
export function saveAdapter(
  folder: string,
  model: Decoder | ScalarModel,
  base = model.model.adapter?.base ?? null,
): void {
  const { adapter } = model.model
  if (!adapter) throw new EmendError(`${folder}: the model has no adapter to save`)
  const scalar = model instanceof ScalarModel
  refuseUnsavable(model.config, folder)
  mkdirSync(folder, { recursive: true })
  const { rank, alpha, targets, rslora = false } = adapter.config
  writeSafetensors(join(folder, WEIGHTS), namedAsPeft(model), { format: 'pt' })
  const config = {
    peft_type: 'LORA',
    task_type: scalar ? 'TOKEN_CLS' : 'CAUSAL_LM',
    base_model_name_or_path: base,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: 0,
    use_rslora: rslora,
    target_modules: targets.includes(ALL_LINEAR) ? lastParts(adapter.names) : targets,
    modules_to_save: scalar ? ['score'] : null,
    bias: 'none',
    fan_in_fan_out: false,
    init_lora_weights: true,
    inference_mode: true,
  }
  writeAtomically(join(folder, CONFIG), `${JSON.stringify(config, null, 2)}\n`)
}

/**
 * A model in the memory of `base` that reads it through the adapter in `folder` (CAUSAL_LM).
 * @throws EmendError naming the file, and the key or tensor that is missing, wrong or not supported
 */
export const loadAdapter = (folder: string, base: Decoder): Decoder =>
  load(folder, 'CAUSAL_LM', lora => adaptedDecoder(base, lora, 0))

/**
 * A scalar model in the memory of `base` that reads its trunk through the adapter in `folder` (TOKEN_CLS, one label).
 * @throws EmendError naming the file, and the key or tensor that is missing, wrong or not supported
 */
export const loadScalarAdapter = (folder: string, base: Decoder | ScalarModel): ScalarModel =>
  load(folder, 'TOKEN_CLS', lora => adaptedScalar(base, lora, 0))

function load<M extends Decoder | ScalarModel>(
  folder: string,
  task: AdapterFolder['task'],
  make: (lora: LoraConfig) => M,
): M {
  const { lora, task: found } = readAdapterFolder(folder)
  if (found !== task) throw new EmendError(`${join(folder, CONFIG)}: task_type: got ${found}, expected ${task}`)
  const path = join(folder, WEIGHTS)
  if (!existsSync(path)) throw new EmendError(`${folder}: ${WEIGHTS} is not there`)
  const model = make(lora)
  refuseUnsavable(model.config, folder)
  const wanted = namedAsPeft(model)
  const { tensors } = readSafetensors(path)
  try {
    const missing = [...wanted.keys()].find(name => !tensors.has(name))
    if (missing) throw new EmendError(`${path}: ${missing} is missing`)
    const unexpected = [...tensors.keys()].find(name => !wanted.has(name))
    if (unexpected) throw new EmendError(`${path}: ${unexpected} is not a tensor that ${CONFIG} tells of`)
    for (const [name, tensor] of wanted) {
      const got = tensors.get(name)!
      if (got.shape.join() !== tensor.shape.join())
        throw new EmendError(`${path}: ${name}: got shape [${got.shape}], expected [${tensor.shape}]`)
    }
    const ours = new Map([...tensors].map(([name, tensor]) => [oursOf(name), tensor] as const))
    model.loadStateDict(ours, { strict: false })
    return model
  } catch (error) {
    freeOwn(model)
    throw error
  } finally {
    for (const tensor of tensors.values()) tensor.dispose()
  }
}

/**
 * Asked before anything is trained that could then not be saved.
 * @throws EmendError for a family whose matrices stand joined or transposed in Hugging Face's model: PEFT changes those
 */
export function refuseUnsavable({ family }: DecoderConfig, where = 'lora'): void {
  const { stored } = FAMILIES.find(({ name }) => name === family) ?? {}
  const map = 'model.layers.0.self_attn.q_proj.weight'
  if (!stored || stored(map).name === map) return
  throw new EmendError(
    `${where}: adapters of ${family} are not supported: PEFT's format has other matrices there; train all weights (lora: null)`,
  )
}

const lastParts = (names: readonly string[]) => [...new Set(names.map(name => name.split('.').at(-1)!))]

const OURS = 'model.adapter.'
const PEFT = 'base_model.model.'

/** What is trained of an adapted model, under PEFT's names: the path in the Hugging Face model, below `base_model.model`. */
const namedAsPeft = (model: Decoder | ScalarModel): Map<string, Tensor> =>
  new Map(
    [...model.parameters()]
      .filter(([name]) => name.startsWith(OURS) || name.startsWith('score.'))
      .map(([name, tensor]) => [PEFT + name.replace(OURS, 'model.'), tensor]),
  )

const oursOf = (name: string): string => {
  const path = name.slice(PEFT.length)
  return path.startsWith('score.') ? path : path.replace(/^model\./, OURS)
}
