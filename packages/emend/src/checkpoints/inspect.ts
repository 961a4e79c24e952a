/** What a model is and what memory it takes, from headers alone: no weight is read. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DType } from '@emend/torch'
import { EmendError } from '../errors.js'
import type { DecoderConfig } from '../models/config.js'
import { architectureOf, familyOf, fromHuggingFace, type ModelKind } from '../models/families/index.js'
import { tensorShapes } from '../models/shapes.js'
import { type StageMemory, stageMemory } from '../training/memory-estimate.js'
import { isGguf, openGguf, readTokenizerFiles, type TokenizerFiles, tokenizerFiles } from './gguf/index.js'
import { readJson } from './json-file.js'
import { type AdapterFolder, baseOfAdapter, isAdapter, readAdapterFolder } from './peft.js'
import { placeWeights, readWeightHeaders, storedDtype } from './weights.js'

/** A tokenizer, in short. */
export interface TokenizerSummary {
  /** `BPE`, `Unigram`, … as tokenizer.json calls it */
  readonly kind: string
  readonly tokens: number
  readonly bos: string | null
  readonly eos: string | null
  readonly pad: string | null
  readonly chatTemplate: boolean
}

/** What `inspectModel` finds. */
export interface ModelSummary {
  /** as `architectures` of a config.json has it, of a GGUF file too */
  readonly architecture: string
  readonly parameters: number
  /** of most of the weights: `float32`, `bfloat16`, …; in a GGUF file the type's name there, such as `Q4_1` */
  readonly dtype: string
  readonly vocabSize: number
  readonly contextLength: number
  readonly tokenizer: TokenizerSummary | null
  readonly memory: {
    /** bytes of the weights as loaded in each dtype */
    readonly weights: Readonly<Record<'float32' | 'bfloat16', number>>
    /** bytes of keys and values that generation keeps for a token */
    readonly cachePerToken: Readonly<Record<'float32' | 'bfloat16', number>>
    /** what each stage takes, in float32; of a language model */
    readonly stages: readonly StageMemory[]
  }
  readonly config: DecoderConfig
  /** of an adapter's folder, where all else is said of the model that it changes */
  readonly adapter?: AdapterFolder & { readonly base: string }
}

/**
 * Looks at a Hugging Face folder, in shards too, at a GGUF file, or at an adapter's folder and the model that it names; the
 * tensors of a model are held against its settings.
 * @throws EmendError naming the file and what is missing, wrong or not supported
 */
export function inspectModel(path: string): ModelSummary {
  if (isAdapter(path)) {
    const base = baseOfAdapter(path) as string
    return { ...inspectModel(base), adapter: { ...readAdapterFolder(path), base } }
  }
  const { config, kind, dtype, tokenizer } = isGguf(path) ? file(path) : folder(path)
  let parameters = 0
  for (const [, shape] of tensorShapes(config, kind === 'causal' ? 'vocabulary' : 'scalar')) {
    parameters += shape.reduce((product, n) => product * n, 1)
  }
  const found = tokenizer && summary(tokenizer)
  if (found && found.tokens > config.vocabSize) {
    throw new EmendError(
      `${path}: the tokenizer knows ${found.tokens} tokens, the model only ${config.vocabSize}: they do not belong together`,
    )
  }
  const keys = 2 * config.layers * config.kvHeads * config.headDim
  return {
    architecture: architectureOf(familyOf(config.family, path), kind),
    parameters,
    dtype,
    vocabSize: config.vocabSize,
    contextLength: config.maxPositions,
    tokenizer: found ?? null,
    memory: {
      weights: { float32: parameters * 4, bfloat16: parameters * 2 },
      cachePerToken: { float32: keys * 4, bfloat16: keys * 2 },
      stages: kind === 'causal' ? stageMemory(config) : [],
    },
    config,
  }
}

interface Found {
  readonly config: DecoderConfig
  readonly kind: ModelKind
  readonly dtype: DType | string
  readonly tokenizer: TokenizerFiles | undefined
}

function file(path: string): Found {
  const { header, config, type } = openGguf(path)
  return { config, kind: 'causal', dtype: type, tokenizer: tokenizerFiles(header) }
}

function folder(path: string): Found {
  if (!existsSync(join(path, 'config.json'))) {
    throw new EmendError(`${path}: no such model, expected a folder with config.json or a .gguf file`)
  }
  const settings = join(path, 'config.json')
  const json = readJson(settings) as Record<string, unknown> | null
  const named = json?.['architectures']
  const scalar = Array.isArray(named) && named.some(name => String(name).endsWith('ForTokenClassification'))
  const kind: ModelKind = scalar ? 'token-classification' : 'causal'
  const config = fromHuggingFace(json, settings)
  const entries = readWeightHeaders(path)
  placeWeights(entries, config, kind, path)
  const tokenizer = existsSync(join(path, 'tokenizer.json')) ? readTokenizerFiles(path) : undefined
  return { config, kind, dtype: storedDtype(entries), tokenizer }
}

function summary({ json, config }: TokenizerFiles): TokenizerSummary {
  const named = (key: string): string | null => {
    const value = config[key]
    return typeof value === 'string' ? value : ((value as { content?: string } | null | undefined)?.content ?? null)
  }
  const own = Array.isArray(json.model.vocab) ? json.model.vocab.length : Object.keys(json.model.vocab).length
  const vocabulary = json.model.vocab
  const isOwn = (token: string) => !Array.isArray(vocabulary) && Object.hasOwn(vocabulary, token)
  const added = (json.added_tokens ?? []).filter(({ content }) => !isOwn(content)).length
  return {
    kind: json.model.type ?? 'BPE',
    tokens: own + added,
    bos: named('bos_token'),
    eos: named('eos_token'),
    pad: named('pad_token'),
    chatTemplate: config['chat_template'] != null,
  }
}
