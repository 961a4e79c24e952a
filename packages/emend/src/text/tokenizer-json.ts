/** The parts of a Hugging Face tokenizer.json that we read ourselves, and the two copies made of it. */
import { createHash } from 'node:crypto'
import { described } from '../data/jsonl.js'
import { EmendError } from '../errors.js'
import { byteLevelBytes } from './byte-level.js'

/** A token outside the model's own merges: specials such as `<eos>`, and what else was added after training. */
export interface AddedToken {
  readonly id: number
  readonly content: string
  readonly special: boolean
}

/** A step of a normaliser, pre-tokenizer or decoder. */
interface Part {
  readonly type: string
  readonly [key: string]: unknown
}

/** A tokenizer.json. What is not named here is carried along untouched. */
export interface TokenizerJson {
  readonly added_tokens?: readonly AddedToken[] | null
  readonly pre_tokenizer?: Part | null
  readonly decoder?: Part | null
  readonly model: {
    readonly type?: string
    readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[]
    readonly merges?: readonly (string | readonly [string, string])[]
    readonly unk_token?: string | null
    readonly [key: string]: unknown
  }
  readonly [key: string]: unknown
}

/** Reads the text of a tokenizer.json. Truncation and padding, which real files carry, are taken out. */
export function parseTokenizerJson(text: string, where: string): TokenizerJson {
  const wrong = (what: string) =>
    new EmendError(
      `${where}: not a Hugging Face tokenizer.json (${what}); give such a file, or the folder that holds it`,
    )
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw wrong((error as Error).message)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong('expected a JSON object')
  const fault = faultOf(value as Record<string, unknown>)
  if (fault) throw wrong(fault)
  return { ...(value as TokenizerJson), truncation: null, padding: null }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isId = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0

/** What is wrong with the parts that we read ourselves; the library judges the rest. */
function faultOf({ model, added_tokens, ...parts }: Record<string, unknown>): string | undefined {
  if (!isObject(model)) return 'it has no "model"'
  const { vocab, merges } = model
  if (typeof vocab !== 'object' || vocab === null) return 'its "model" has no "vocab"'
  if (Array.isArray(vocab)) {
    const odd = vocab.findIndex(entry => !Array.isArray(entry) || typeof entry[0] !== 'string' || entry.length !== 2)
    if (odd >= 0) return `vocab[${odd}]: expected [token, score], got ${described(vocab[odd])}`
  } else {
    const odd = Object.entries(vocab).find(([, id]) => !isId(id))
    if (odd) return `vocab['${odd[0]}']: expected a whole number, got ${described(odd[1])}`
  }
  if (merges != null) {
    if (!Array.isArray(merges)) return `merges: expected a list, got ${described(merges)}`
    const odd = merges.findIndex(merge => {
      const two: unknown[] = typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : []
      return two.length !== 2 || two.some(token => typeof token !== 'string')
    })
    if (odd >= 0) return `merges[${odd}]: expected two tokens, got ${described(merges[odd])}`
  }
  if (added_tokens != null) {
    if (!Array.isArray(added_tokens))
      return `added_tokens: expected a list of {id, content}, got ${described(added_tokens)}`
    const odd = added_tokens.findIndex(
      token => !isObject(token) || !isId(token['id']) || typeof token['content'] !== 'string',
    )
    if (odd >= 0) return `added_tokens[${odd}]: expected {id, content}, got ${described(added_tokens[odd])}`
  }
  const ids = new Map(vocabularyOf({ model } as TokenizerJson))
  for (const [i, { content, id }] of ((added_tokens ?? []) as readonly AddedToken[]).entries()) {
    const own = ids.get(content) ?? id
    if (own !== id) return `added_tokens[${i}]: '${content}' has the id ${id}, in the vocabulary ${own}`
  }
  for (const name of ['normalizer', 'pre_tokenizer', 'decoder']) {
    const odd = oddPart(parts[name])
    if (odd !== undefined) return `${name}: expected {type, …}, got ${described(odd)}`
  }
  return undefined
}

/** A step that is none, in a part or in the sequence that it is. */
function oddPart(part: unknown): unknown {
  if (part == null) return undefined
  if (!isObject(part) || typeof part['type'] !== 'string') return part
  const inner = part['decoders'] ?? part['pretokenizers'] ?? part['normalizers']
  if (part['type'] !== 'Sequence' || !Array.isArray(inner)) return undefined
  return inner.map(step => (step === null ? 'null' : oddPart(step))).find(odd => odd !== undefined)
}

/** Every entry of the model's vocabulary and the added tokens, with its id. */
export function vocabularyOf({ model, added_tokens }: TokenizerJson): [string, number][] {
  const own: [string, number][] = Array.isArray(model.vocab)
    ? model.vocab.map(([token]: readonly [string, number], id) => [token, id])
    : Object.entries(model.vocab as Record<string, number>)
  return [...own, ...(added_tokens ?? []).map(({ content, id }): [string, number] => [content, id])]
}

/**
 * The copy that encodes what people write: no token that was added may come out of it, since `<eos>` in a user's text is text.
 * Added runs of white space stay (some vocabularies keep indentation there). Offsets are not trimmed, dropout is off.
 */
export function forContent(json: TokenizerJson): TokenizerJson {
  const kept = (json.added_tokens ?? []).filter(token => !token.special && isSpacing(token.content))
  const dropped = new Set((json.added_tokens ?? []).filter(token => !kept.includes(token)).map(token => token.content))
  const { model } = json
  dropped.delete(model.unk_token ?? '')
  for (const merge of model.merges ?? [])
    dropped.delete(typeof merge === 'string' ? merge.replace(' ', '') : merge.join(''))
  // Some models find whole words in their vocabulary, so the names of dropped tokens must not be there. Ids stay as they are.
  const hidden = (token: string, id: number) => (dropped.has(token) ? `\u{10fffd}${id}` : token)
  const vocab = Array.isArray(model.vocab)
    ? model.vocab.map(([token, score]: readonly [string, number], id) => [hidden(token, id), score] as const)
    : {
        ...Object.fromEntries(Object.entries(model.vocab).map(([token, id]) => [hidden(token, id), id])),
        // Without those dropped before them the library would number the kept ones anew.
        ...Object.fromEntries(kept.map(({ content, id }) => [content, id])),
      }
  return {
    ...json,
    added_tokens: kept,
    post_processor: null,
    model: { ...model, vocab, ...('dropout' in model && { dropout: null }) },
  }
}

/** Whether a token is nothing but white space. */
export const isSpacing = (token: string): boolean => /^[\s▁]+$/u.test(token)

/** Whether a space is put before a whole text and not again after each special token (Metaspace's `first`). */
export const onlyFirstIsPrefixed = (json: TokenizerJson): boolean =>
  flat(json.pre_tokenizer).some(step => step.type === 'Metaspace' && step['prepend_scheme'] === 'first')

/** Ids that the post-processor puts before a text for those who ask for special tokens: a BOS, or nothing. */
export function openingOf({ post_processor }: TokenizerJson): number[] {
  const processor = flat(post_processor as Part | null | undefined).find(({ type }) => type === 'TemplateProcessing')
  const { single, special_tokens } = (processor ?? {}) as {
    single?: readonly { readonly SpecialToken?: { readonly id: string } }[]
    special_tokens?: Readonly<Record<string, { readonly ids?: readonly number[] } | undefined>>
  }
  if (!Array.isArray(single)) return []
  const text = single.findIndex(part => !part?.SpecialToken)
  const before = single.slice(0, Math.max(text, 0)) as { SpecialToken: { id: string } }[]
  return before.flatMap(({ SpecialToken }) => special_tokens?.[SpecialToken.id]?.ids ?? []).filter(isId)
}

/** The copy that puts nothing before a text. */
export function forContinuation(json: TokenizerJson): TokenizerJson {
  return {
    ...json,
    normalizer: withoutPrefix(json.normalizer as Part | null | undefined),
    pre_tokenizer: withoutPrefix(json.pre_tokenizer),
  }
}

function withoutPrefix(part: Part | null | undefined): Part | null {
  if (!part || part.type === 'Prepend') return null
  const inner = part['normalizers'] ?? part['pretokenizers']
  if (part.type === 'Sequence' && Array.isArray(inner)) {
    const steps = inner.map(withoutPrefix).filter(step => step !== null)
    return { ...part, [part['normalizers'] ? 'normalizers' : 'pretokenizers']: steps }
  }
  if (part.type === 'Metaspace') return { ...part, prepend_scheme: 'never', add_prefix_space: false }
  return part.type === 'ByteLevel' ? { ...part, add_prefix_space: false } : part
}

/** SHA-256 of the file in a canonical form: keys sorted, merges as pairs, without truncation and padding. */
export function fingerprintOf(json: TokenizerJson): string {
  const { truncation: _, padding: __, ...rest } = json
  const merges = json.model.merges?.map(merge => (typeof merge === 'string' ? merge.split(' ') : merge))
  const canonical = JSON.stringify({ ...rest, model: { ...json.model, ...(merges && { merges }) } }, (_key, value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : value,
  )
  return createHash('sha256').update(canonical).digest('hex')
}

/** How tokens are spelled. */
export interface Spelling {
  /** Whether tokens are written in GPT-2's byte characters. */
  readonly byteLevel: boolean
  /** White space at the start of a text's first token that the encoder put there and the decoder drops. */
  readonly dropFirstSpace: boolean
  /** The bytes of a token of the model's vocabulary. */
  bytes(token: string): Uint8Array
}

const UTF8 = new TextEncoder()

/** The spelling that the file's decoder undoes: byte-level, SentencePiece's `▁` with byte fallback, WordPiece, plain. */
export function spellingOf(json: TokenizerJson): Spelling {
  const steps = flat(json.decoder)
  if ([...steps, ...flat(json.pre_tokenizer)].some(step => step.type === 'ByteLevel'))
    return { byteLevel: true, dropFirstSpace: false, bytes: token => byteLevelBytes(token) ?? UTF8.encode(token) }
  // Without a decoder Hugging Face joins tokens with spaces.
  const wordPiece = steps.length === 0 ? { prefix: undefined } : steps.find(step => step.type === 'WordPiece')
  const dropFirstSpace =
    wordPiece !== undefined ||
    steps.some(
      step =>
        (step.type === 'Strip' && step['start'] === 1) ||
        (step.type === 'Metaspace' && step['prepend_scheme'] !== 'never'),
    )
  return {
    byteLevel: false,
    dropFirstSpace,
    bytes(token) {
      let text = token
      for (const step of steps) {
        if (step.type === 'ByteFallback') {
          const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(text)
          if (byte) return Uint8Array.of(Number.parseInt(byte[1]!, 16))
        } else if (step.type === 'Replace') {
          const pattern = (step['pattern'] as { String?: string })?.String
          if (pattern) text = text.replaceAll(pattern, String(step['content']))
        } else if (step.type === 'Metaspace') text = text.replaceAll(String(step['replacement'] ?? '▁'), ' ')
        else if (step.type === 'BPEDecoder') text = text.replaceAll(String(step['suffix']), ' ')
      }
      if (wordPiece) {
        const prefix = wordPiece.prefix === undefined ? undefined : String(wordPiece.prefix)
        text = prefix && text.startsWith(prefix) ? text.slice(prefix.length) : ` ${text}`
      }
      return UTF8.encode(text)
    },
  }
}

/** The steps of a part, sequences opened. */
function flat(part: Part | null | undefined): Part[] {
  if (!part) return []
  const inner = part['decoders'] ?? part['pretokenizers'] ?? part['processors']
  return part.type === 'Sequence' && Array.isArray(inner) ? inner.flatMap(flat) : [part]
}
