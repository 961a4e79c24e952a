/** A tokenizer.json and a tokenizer_config.json from the vocabulary of a GGUF file. */

import type { TokenizerJson } from '../../text/tokenizer-json.js'
import type { GgufHeader } from './header.js'
import { mergesFromScores } from './merges.js'
import { Metadata } from './metadata.js'
import { ADDING_BOS, PRE_TOKENIZERS, preTokenizerNamed } from './pre-tokenizers.js'

/** Kinds of tokens (`llama_token_type`). */
export const TOKEN = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

/** The two files that a Hugging Face folder has of a tokenizer. */
export interface TokenizerFiles {
  readonly json: TokenizerJson
  readonly config: Readonly<Record<string, unknown>>
}

/** Ids that the file names. */
export interface SpecialIds {
  readonly bos: number | null
  /** what ends a text, then what ends a turn or a message */
  readonly eos: readonly number[]
  readonly pad: number | null
}

/** What ends a turn, by name: llama.cpp looks for it where a file does not say, as those of chat models often do not. */
const TURN_ENDS = ['<|eot_id|>', '<|im_end|>', '<|end|>', '<end_of_turn>', '<EOT>']

/** The ids that end or begin a text; `vocabSize` bounds them. */
export function specialIds(header: GgufHeader, vocabSize: number): SpecialIds {
  const metadata = new Metadata(header)
  const id = (name: string): number | null => {
    const key = `tokenizer.ggml.${name}_token_id`
    const got = metadata.whole(key, null)
    // llama.cpp writes 2^32 - 1 for none.
    if (got === null || got === 0xffff_ffff) return null
    if (got >= vocabSize) metadata.fail(key, `got ${got}, expected an id below the vocabulary's ${vocabSize}`)
    return got
  }
  const named = (): number | null => {
    if (!metadata.has('tokenizer.ggml.tokens')) return null
    const tokens = metadata.strings('tokenizer.ggml.tokens')
    const found = TURN_ENDS.map(token => tokens.indexOf(token)).find(at => at >= 0 && at < vocabSize)
    return found ?? null
  }
  const eos = [id('eos'), id('eot') ?? named(), id('eom')].filter(each => each !== null)
  return { bos: id('bos'), eos: [...new Set(eos)], pad: id('padding') }
}

/**
 * The tokenizer of a GGUF file: `gpt2` (byte-level BPE with merges) or `llama` (SentencePiece BPE with scores).
 * Unused tokens at the end, which only fill the embedding table, are left out.
 * @throws EmendError naming the key, where the file lies or its tokenizer is of another kind
 */
export function tokenizerFiles(header: GgufHeader): TokenizerFiles {
  const metadata = new Metadata(header)
  const tokens = metadata.strings('tokenizer.ggml.tokens')
  const types = metadata.numbers('tokenizer.ggml.token_type', tokens.length) ?? tokens.map(() => TOKEN.normal)
  let length = tokens.length
  while (length > 0 && types[length - 1] === TOKEN.unused) length--
  const ids = new Map<string, number>()
  for (let id = 0; id < length; id++) {
    const token = tokens[id]!
    const twin = ids.get(token)
    if (twin !== undefined) {
      metadata.fail('tokenizer.ggml.tokens', `tokens ${twin} and ${id} are both ${JSON.stringify(token)}`)
    }
    ids.set(token, id)
  }
  const kind = metadata.string('tokenizer.ggml.model')
  const make = KINDS[kind]
  if (!Object.hasOwn(KINDS, kind) || !make) {
    metadata.fail(
      'tokenizer.ggml.model',
      `${JSON.stringify(kind)} is not supported, only ${Object.keys(KINDS).join(', ')}`,
    )
  }
  const vocabulary: Vocabulary = { metadata, ids, types, token: name => tokenOf(metadata, name, tokens) }
  const pre = metadata.optionalString('tokenizer.ggml.pre') ?? 'default'
  const addBos = metadata.boolean('tokenizer.ggml.add_bos_token', kind === 'llama' || ADDING_BOS.has(pre))
  const addEos = metadata.boolean('tokenizer.ggml.add_eos_token', false)
  const bos = vocabulary.token('bos')
  const eos = vocabulary.token('eos')
  const template = chatTemplate(metadata)
  return {
    json: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [...ids].flatMap(([content, id]) => {
        const special = types[id] === TOKEN.control || types[id] === TOKEN.unknown
        if (!special && types[id] !== TOKEN.userDefined) return []
        return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }]
      }),
      ...make(vocabulary),
      post_processor: postProcessor(addBos ? bos : undefined, addEos ? eos : undefined, ids),
    },
    config: {
      add_bos_token: addBos,
      add_eos_token: addEos,
      bos_token: bos ?? null,
      ...(template !== undefined && { chat_template: template }),
      clean_up_tokenization_spaces: false,
      eos_token: eos ?? null,
      model_max_length: metadata.whole(`${metadata.string('general.architecture')}.context_length`),
      pad_token: vocabulary.token('padding') ?? null,
      tokenizer_class: 'PreTrainedTokenizerFast',
      unk_token: vocabulary.token('unknown') ?? null,
    },
  }
}

/** The chat template: one, or several by name as tokenizer_config.json lists them. */
function chatTemplate(metadata: Metadata): string | { readonly name: string; readonly template: string }[] | undefined {
  const one = metadata.optionalString('tokenizer.chat_template')
  if (!metadata.has('tokenizer.chat_templates')) return one
  const named = metadata.strings('tokenizer.chat_templates').map(name => ({
    name,
    template: metadata.string(`tokenizer.chat_template.${name}`),
  }))
  return [...(one === undefined ? [] : [{ name: 'default', template: one }]), ...named]
}

interface Vocabulary {
  readonly metadata: Metadata
  readonly ids: ReadonlyMap<string, number>
  readonly types: readonly number[]
  /** the token that plays a part (bos, eos, unknown, padding) */
  token(part: string): string | undefined
}

type Parts = Pick<TokenizerJson, 'model' | 'pre_tokenizer' | 'decoder'> & { readonly normalizer: unknown }

const KINDS: Readonly<Record<string, (vocabulary: Vocabulary) => Parts>> = { gpt2: byteLevel, llama: sentencePiece }

function tokenOf(metadata: Metadata, part: string, tokens: readonly string[]): string | undefined {
  const id = metadata.whole(`tokenizer.ggml.${part}_token_id`, null)
  return id === null ? undefined : tokens[id]
}

function byteLevel({ metadata, ids }: Vocabulary): Parts {
  const name = metadata.optionalString('tokenizer.ggml.pre') ?? 'default'
  const pre = preTokenizerNamed(name)
  if (!pre) {
    return metadata.fail(
      'tokenizer.ggml.pre',
      `${JSON.stringify(name)} is not a way of cutting text that is known here; known are ${PRE_TOKENIZERS.join(', ')}`,
    )
  }
  const key = 'tokenizer.ggml.merges'
  const merges = metadata.strings(key).map((merge, i) => {
    // A merge is two tokens with one space; in GPT-2's spelling no token has a space, in others the left one may begin so.
    const cut = merge.indexOf(' ', 1)
    const [left, right] = [merge.slice(0, cut), merge.slice(cut + 1)]
    if (cut < 0 || !ids.has(left) || !ids.has(right) || !ids.has(left + right)) {
      metadata.fail(key, `merge ${i}: got ${JSON.stringify(merge)}, expected two tokens that make a third`)
    }
    return [left, right] as const
  })
  return {
    normalizer: pre.normalizer,
    pre_tokenizer: pre.steps.length === 1 ? pre.steps[0]! : { type: 'Sequence', pretokenizers: pre.steps },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: pre.ignoreMerges,
      vocab: Object.fromEntries(ids),
      merges,
    },
  }
}

function sentencePiece({ metadata, ids, types, token }: Vocabulary): Parts {
  const values = metadata.numbers('tokenizer.ggml.scores', types.length)
  if (!values) return metadata.fail('tokenizer.ggml.scores', 'is missing; a SentencePiece vocabulary needs it')
  const scores = new Map<string, number>()
  for (const [token, id] of ids)
    if (types[id] === TOKEN.normal || types[id] === TOKEN.userDefined) scores.set(token, values[id]!)
  // A space before the text is a token's first character here, and none of the text's.
  const prefix = metadata.boolean('tokenizer.ggml.add_space_prefix', true)
  const spaces = { type: 'Replace', pattern: { String: ' ' }, content: '▁' }
  const decoders = [
    { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
    ...(prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
  ]
  return {
    normalizer: prefix ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, spaces] } : spaces,
    pre_tokenizer: null,
    decoder: { type: 'Sequence', decoders },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: token('unknown') ?? null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(ids),
      merges: mergesFromScores(ids, scores),
    },
  }
}

/** What puts a BOS before a text or an EOS behind it, for those who ask a tokenizer for special tokens. */
function postProcessor(bos: string | undefined, eos: string | undefined, ids: ReadonlyMap<string, number>): unknown {
  if (bos === undefined && eos === undefined) return null
  const special = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } })
  const part = (id: 'A' | 'B', type_id: number) => [
    ...(bos === undefined ? [] : [special(bos, type_id)]),
    { Sequence: { id, type_id } },
    ...(eos === undefined ? [] : [special(eos, type_id)]),
  ]
  const named = [bos, eos].filter(token => token !== undefined)
  return {
    type: 'TemplateProcessing',
    single: part('A', 0),
    pair: [...part('A', 0), ...part('B', 1)],
    special_tokens: Object.fromEntries(named.map(id => [id, { id, ids: [ids.get(id)], tokens: [id] }])),
  }
}
