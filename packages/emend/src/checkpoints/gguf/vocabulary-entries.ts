/** The vocabulary, merges, special tokens and chat template of a tokenizer.json, as GGUF metadata. */

import { isDeepStrictEqual } from 'node:util'
import { EmendError } from '../../errors.js'
import type { DecoderConfig } from '../../models/config.js'
import { spellingOf, type TokenizerJson, vocabularyOf } from '../../text/tokenizer-json.js'
import { mergesFromScores } from './merges.js'
import { preTokenizerName, type Step } from './pre-tokenizers.js'
import { TOKEN, type TokenizerFiles } from './vocabulary.js'
import type { Entry } from './writer.js'

/**
 * @param model whose embedding table the vocabulary fills up, with unused tokens where it is larger
 * @throws EmendError naming the part of the tokenizer that llama.cpp does not have
 */
export function vocabularyEntries({ json, config }: TokenizerFiles, model: DecoderConfig): Entry[] {
  const rows = model.vocabSize
  const tokens: string[] = Array.from({ length: rows }, (_, id) => `[PAD${id}]`)
  const types: number[] = tokens.map(() => TOKEN.unused)
  for (const [token, id] of vocabularyOf(json)) {
    if (id >= rows) throw unwritable(`token ${id} is outside the model's embedding table of ${rows}`)
    tokens[id] = token
    types[id] = TOKEN.normal
  }
  for (const token of json.added_tokens ?? []) {
    for (const setting of ['lstrip', 'rstrip', 'single_word'] as const) {
      if (
        (token as { readonly lstrip?: unknown; readonly rstrip?: unknown; readonly single_word?: unknown })[setting]
      ) {
        throw unwritable(`added token ${JSON.stringify(token.content)} has ${setting}, which GGUF has no place for`)
      }
    }
    types[token.id] = token.special ? TOKEN.control : TOKEN.userDefined
  }
  const kind = spellingOf(json).byteLevel ? byteLevel(json) : sentencePiece(json, tokens, types)
  const twins = tokens.length - new Set(tokens).size
  if (twins > 0) throw unwritable(`${twins} tokens stand in it twice`)

  const ids = new Map(tokens.map((token, id) => [token, id]))
  const named = (key: string): number | undefined => {
    const value = config[key]
    const token = typeof value === 'string' ? value : (value as { content?: string } | null | undefined)?.content
    return token === undefined ? undefined : ids.get(token)
  }
  const entries: Entry[] = [
    ...kind,
    ['tokenizer.ggml.tokens', ['string'], tokens],
    ['tokenizer.ggml.token_type', ['int32'], types],
    ['tokenizer.ggml.add_bos_token', 'bool', adds(json, config, 'bos')],
    ['tokenizer.ggml.add_eos_token', 'bool', adds(json, config, 'eos')],
  ]
  // The tokenizer's own EOS first: the model's list also holds what ends a turn.
  const own = named('eos_token')
  const eos = [...new Set([...model.eos.filter(id => id === own), ...model.eos])]
  const special: readonly (readonly [string, number | null | undefined])[] = [
    ['bos', model.bos ?? named('bos_token')],
    ['eos', eos[0] ?? own],
    ['eot', eos[1]],
    ['eom', eos[2]],
    ['unknown', named('unk_token')],
    ['padding', model.pad ?? named('pad_token')],
  ]
  for (const [part, id] of special) {
    if (id !== null && id !== undefined) entries.push([`tokenizer.ggml.${part}_token_id`, 'uint32', id])
  }
  return [...entries, ...templateEntries(config['chat_template'])]
}

/** A chat template, or a list of them by name. */
function templateEntries(template: unknown): Entry[] {
  if (typeof template === 'string') return [['tokenizer.chat_template', 'string', template]]
  if (!Array.isArray(template)) return []
  const listed = (template as readonly { readonly name?: unknown; readonly template?: unknown }[]).flatMap(one =>
    typeof one?.template === 'string' ? [{ name: String(one.name), template: one.template }] : [],
  )
  const others = listed.filter(({ name }) => name !== 'default')
  const one = listed.find(({ name }) => name === 'default')
  return [
    ...templateEntries(one?.template),
    ['tokenizer.chat_templates', ['string'], others.map(({ name }) => name)],
    ...others.map(({ name, template }): Entry => [`tokenizer.chat_template.${name}`, 'string', template]),
  ]
}

const unwritable = (what: string) => new EmendError(`the tokenizer cannot be written as GGUF: ${what}`)

/** Whether a BOS goes before, or an EOS behind, a text that asks for special tokens. */
function adds(json: TokenizerJson, config: TokenizerFiles['config'], which: 'bos' | 'eos'): boolean {
  const said = config[`add_${which}_token`]
  if (typeof said === 'boolean') return said
  const single = (json['post_processor'] as { single?: readonly object[] } | null | undefined)?.single
  const at = which === 'bos' ? single?.[0] : single?.at(-1)
  return at !== undefined && 'SpecialToken' in at
}

function byteLevel(json: TokenizerJson): Entry[] {
  const { model, pre_tokenizer } = json
  if (model.type !== undefined && model.type !== 'BPE') throw unwritable(`its model is ${model.type}, expected BPE`)
  const steps = pre_tokenizer?.type === 'Sequence' ? pre_tokenizer['pretokenizers'] : [pre_tokenizer]
  const name = preTokenizerName({
    steps: (steps as (Step | null | undefined)[]).filter(step => step != null),
    normalizer: (json['normalizer'] ?? null) as { type: 'NFC' } | null,
    ignoreMerges: model['ignore_merges'] === true,
  })
  if (!name) {
    const got = JSON.stringify({ normalizer: json['normalizer'], pre_tokenizer, ignore_merges: model['ignore_merges'] })
    throw unwritable(`llama.cpp has no name for how it cuts text (${got.slice(0, 200)})`)
  }
  const merges = (model.merges ?? []).map(merge => (typeof merge === 'string' ? merge : merge.join(' ')))
  return [
    ['tokenizer.ggml.model', 'string', 'gpt2'],
    ['tokenizer.ggml.pre', 'string', name],
    ['tokenizer.ggml.merges', ['string'], merges],
  ]
}

/**
 * SentencePiece's BPE has scores instead of merges: any two tokens that make a third may merge, the best-scored third first.
 * A merge list can be written so if it has every such pair, and those that make the same token next to each other.
 */
function sentencePiece(json: TokenizerJson, tokens: readonly string[], types: number[]): Entry[] {
  const { model } = json
  if (model.type !== 'BPE' || model['byte_fallback'] !== true) {
    throw unwritable(`its model is ${model.type}, expected BPE, byte-level or with byte_fallback`)
  }
  const prefix = spacePrefix(json)
  if (prefix === undefined) {
    throw unwritable(`its normalizer is not SentencePiece's (${JSON.stringify(json['normalizer'])?.slice(0, 200)})`)
  }
  const made = new Map<string, number>()
  const merges = (model.merges ?? []).map(merge => (typeof merge === 'string' ? merge.split(' ') : merge))
  for (const pair of merges) {
    const token = pair.join('')
    if (!made.has(token)) made.set(token, made.size)
  }
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const scores = new Map<string, number>()
  for (const [id, token] of tokens.entries()) {
    if (/^<0x[0-9A-F]{2}>$/.test(token) && types[id] === TOKEN.normal) types[id] = TOKEN.byte
    if (token === model.unk_token) types[id] = TOKEN.unknown
    // Characters come after everything that merges make, as SentencePiece numbers them; no merge makes them.
    if (types[id] === TOKEN.normal) scores.set(token, -(made.get(token) ?? made.size + id))
  }
  const pairs = (list: readonly (readonly string[])[]) => list.map(pair => pair.join(' ')).sort()
  const ordinary = merges.filter(pair => scores.has(pair.join('')))
  if (!isDeepStrictEqual(pairs(mergesFromScores(ids, scores)), pairs(ordinary))) {
    throw unwritable('its merges are not those that SentencePiece would make of its vocabulary')
  }
  return [
    ['tokenizer.ggml.model', 'string', 'llama'],
    ['tokenizer.ggml.pre', 'string', 'default'],
    ['tokenizer.ggml.scores', ['float32'], tokens.map(token => scores.get(token) ?? 0)],
    ['tokenizer.ggml.add_space_prefix', 'bool', prefix],
  ]
}

/**
 * Whether a space is put before a text; undefined where text is prepared in another way than SentencePiece does. llama.cpp
 * puts one behind every special token, too, which Hugging Face calls `always`; GGUF cannot say `first`.
 */
function spacePrefix(json: TokenizerJson): boolean | undefined {
  const flat = (part: unknown): Step[] => {
    if (!part) return []
    const inner = (part as Step)['normalizers'] ?? (part as Step)['pretokenizers']
    return Array.isArray(inner) ? inner.flatMap(flat) : [part as Step]
  }
  const normal = flat(json['normalizer'])
  const cuts = flat(json.pre_tokenizer)
  const isReplace = (step: Step | undefined) =>
    step?.type === 'Replace' && step['content'] === '▁' && (step['pattern'] as { String?: string }).String === ' '
  if (normal.length === 0) {
    const [meta] = cuts
    if (cuts.length !== 1 || meta?.type !== 'Metaspace' || meta['split'] === true) return undefined
    return meta['prepend_scheme'] !== 'never'
  }
  // Gemma cuts after spaces that its normalizer has replaced: it cuts nothing.
  const idle = cuts.every(step => step.type === 'Split' && (step['pattern'] as { String?: string }).String === ' ')
  if (!idle) return undefined
  if (normal.length === 1 && isReplace(normal[0])) return false
  const [first, second] = normal
  return normal.length === 2 && first?.type === 'Prepend' && isReplace(second) ? true : undefined
}
