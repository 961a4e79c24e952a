/** The families of models, and `config.json` in and out. Adding a family is a file beside this one and a line in the list. */

import { EmendError } from '../../errors.js'
import { type DecoderConfig, decoderConfig } from '../config.js'
import { ConfigReader } from './config-reader.js'
import type { Family } from './family.js'
import { gemma2 } from './gemma2.js'
import { gemma3 } from './gemma3.js'
import { gpt2 } from './gpt2.js'
import { llama } from './llama.js'
import { mistral } from './mistral.js'
import { qwen2 } from './qwen2.js'
import { qwen3 } from './qwen3.js'

export type { Family, StoredTensor } from './family.js'

export const FAMILIES: readonly Family[] = [llama, mistral, qwen2, qwen3, gemma2, gemma3, gpt2]

/** What a folder holds: a language model, or a number for every token. */
export type ModelKind = 'causal' | 'token-classification'

/** @throws EmendError naming the families there are */
export function familyOf(name: unknown, where: string): Family {
  const family = FAMILIES.find(each => each.name === name)
  if (family) return family
  const got = name === undefined ? 'nothing' : JSON.stringify(name)
  throw new EmendError(
    `${where}: model_type ${got} is not supported, only ${FAMILIES.map(each => each.name).join(', ')}`,
  )
}

/**
 * What `architectures` says of a model of this family and kind.
 * @throws EmendError where transformers has no such architecture
 */
export function architectureOf(family: Family, kind: ModelKind): string {
  if (kind === 'causal') return family.causal
  if (family.tokenClassification !== null) return family.tokenClassification
  throw new EmendError(
    `${family.name}: transformers has no token classifier of this family, which a reward or value model would be saved as`,
  )
}

/**
 * Reads a `config.json` (transformers 4 and 5 both).
 * @param where the file's name, for messages
 * @throws EmendError naming the key that is missing, wrong or not supported
 */
export function fromHuggingFace(json: unknown, where = 'config.json'): DecoderConfig {
  const given = new ConfigReader(json, where)
  const family = familyOf(given.get('model_type'), where)
  given.only('quantization_config')
  given.only('add_cross_attention', false)
  given.only('is_encoder_decoder', false)
  try {
    return decoderConfig({
      ...family.read(given),
      family: family.name,
      bos: given.id('bos_token_id'),
      eos: given.ids('eos_token_id'),
      pad: given.id('pad_token_id'),
    })
  } catch (error) {
    if (error instanceof EmendError && !error.message.startsWith(where)) {
      throw new EmendError(`${where}: ${error.message}`, { cause: error })
    }
    throw error
  }
}

/**
 * The `config.json` that transformers reads as the same model.
 * @throws EmendError where transformers has no such architecture
 */
export function toHuggingFace(
  config: DecoderConfig,
  kind: ModelKind,
  dtype: string = 'float32',
): Record<string, unknown> {
  const family = familyOf(config.family, 'decoder config')
  return {
    architectures: [architectureOf(family, kind)],
    model_type: family.name,
    ...(kind === 'token-classification'
      ? { classifier_dropout: 0, id2label: { 0: 'LABEL_0' }, label2id: { LABEL_0: 0 }, num_labels: 1 }
      : {}),
    ...family.write(config),
    vocab_size: config.vocabSize,
    bos_token_id: config.bos,
    eos_token_id: config.eos.length === 0 ? null : config.eos.length === 1 ? config.eos[0] : config.eos,
    pad_token_id: config.pad,
    // transformers 4 reads the first, transformers 5 the second
    torch_dtype: dtype,
    dtype,
    use_cache: true,
  }
}
