/**
 * How byte-level vocabularies cut text before merging. GGUF holds only a name (`tokenizer.ggml.pre`); llama.cpp knows what
 * it means (src/llama-vocab.cpp), and the tokenizer.json of the models so named says it in full.
 */

import { isDeepStrictEqual } from 'node:util'

/** A step of a tokenizer.json's `pre_tokenizer`. */
export interface Step {
  readonly type: string
  readonly [key: string]: unknown
}

/** What a name stands for. */
export interface PreTokenizer {
  readonly steps: readonly Step[]
  readonly normalizer: { readonly type: 'NFC' } | null
  /** a word that is a token as a whole is one, whatever the merges would make of it */
  readonly ignoreMerges: boolean
}

const byteLevel = (regex: boolean): Step => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: false,
  use_regex: regex,
})
const split = (regex: string): Step => ({
  type: 'Split',
  pattern: { Regex: regex },
  behavior: 'Isolated',
  invert: false,
})
const digits: Step = { type: 'Digits', individual_digits: true }

const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
const LLAMA3 = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
const QWEN2 = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
const TEKKEN = String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`

const plain = { normalizer: null, ignoreMerges: false } as const
const gpt2: PreTokenizer = { ...plain, steps: [byteLevel(true)] }
const singleDigits: PreTokenizer = { ...plain, steps: [digits, byteLevel(true)] }
const llama3: PreTokenizer = { ...plain, steps: [split(LLAMA3), byteLevel(false)], ignoreMerges: true }
const qwen2: PreTokenizer = { ...plain, steps: [split(QWEN2), byteLevel(false)], normalizer: { type: 'NFC' } }

/** By name; where several mean the same, the first is the one that is written. */
const NAMED: Readonly<Record<string, PreTokenizer>> = {
  'gpt-2': gpt2,
  smollm: singleDigits,
  'llama-bpe': llama3,
  qwen2,
  tekken: { ...plain, steps: [split(TEKKEN), byteLevel(false)], ignoreMerges: true },
  'smaug-bpe': { ...llama3, ignoreMerges: false },
  // What llama.cpp does where a file gives no name.
  default: {
    ...plain,
    steps: [
      split(String.raw`[\p{P}\$\+<=>\^~\|]+`),
      split(GPT2),
      split(String.raw`\p{N}+`),
      split('[0-9][0-9][0-9]'),
      byteLevel(false),
    ],
  },
  'phi-2': gpt2,
  olmo: gpt2,
  starcoder: singleDigits,
  refact: singleDigits,
  codeshell: singleDigits,
  llama3,
  'llama-v3': llama3,
  'deepseek-r1-qwen': qwen2,
}

/** The names whose vocabularies put a BOS before a text, unless `add_bos_token` says otherwise. */
export const ADDING_BOS: ReadonlySet<string> = new Set(['llama-bpe', 'llama3', 'llama-v3', 'tekken'])

/** The names that are known, for messages. */
export const PRE_TOKENIZERS: readonly string[] = Object.keys(NAMED)

export const preTokenizerNamed = (name: string): PreTokenizer | undefined =>
  Object.hasOwn(NAMED, name) ? NAMED[name] : undefined

/** The name under which llama.cpp cuts text as these steps of a tokenizer.json do; undefined if there is none. */
export function preTokenizerName(wanted: PreTokenizer): string | undefined {
  const key = ({ steps, ...rest }: PreTokenizer) => ({ ...rest, steps: steps.map(meaning) })
  return PRE_TOKENIZERS.find(name => isDeepStrictEqual(key(NAMED[name]!), key(wanted)))
}

/** A step without what only concerns offsets, and with the one regular expression that has a short name spelled out. */
function meaning({ type, trim_offsets: _, ...step }: Step): unknown {
  return { type, ...step, ...(type === 'ByteLevel' && { use_regex: step['use_regex'] ?? true }) }
}
