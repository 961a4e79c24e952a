/** Any tokenizer.json, through Hugging Face's own library, with every token's place in the text. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { TokenizedText } from '@emend/edits'
import { Tokenizer as HuggingFace } from 'tokenizers'
import { EmendError, oneLine } from '../errors.js'
import { resolveModel } from '../hub/resolve.js'
import { makeFolder, writeAtomically } from '../pipeline/atomic-file.js'
import { type Layout, layOutBytes, layOutOffsets, layOutUtf8 } from './layout.js'
import {
  fingerprintOf,
  forContent,
  forContinuation,
  isSpacing,
  onlyFirstIsPrefixed,
  openingOf,
  parseTokenizerJson,
  type Spelling,
  spellingOf,
  type TokenizerJson,
  vocabularyOf,
} from './tokenizer-json.js'

const NO_BYTES = new Uint8Array()
const SPACE = 0x20
/** Real vocabularies end below 300,000; a table is made of as many entries as the highest id. */
const LARGEST_ID = 10_000_000
const USUAL_EOS = ['<eos>', '</s>', '<|endoftext|>']
const LENIENT = new TextDecoder('utf-8', { ignoreBOM: true })
const UTF8 = new TextEncoder()

/** What tokenizer_config.json says; only the names of special tokens are read here. */
type TokenizerConfig = Readonly<Record<string, unknown>>

/** A tokenizer: text → ids with places, ids → text. Special tokens inside a text stay text unless asked for. */
export class Tokenizer {
  /** SHA-256 of the canonical tokenizer.json, without truncation and padding. */
  readonly fingerprint: string
  /** Highest id + 1: the least number of rows a model's embedding needs. */
  readonly vocabSize: number
  /** Special tokens and their ids. */
  readonly specials: ReadonlyMap<string, number>
  /** Tokens found in a text before all else, the special ones and such as `<think>`, and their ids; none is white space. */
  readonly added: ReadonlyMap<string, number>
  /** The id that `eos_token` of tokenizer_config.json names; without that file the first usual name among the specials. */
  readonly eosId: number | undefined
  /** The id that `pad_token` of tokenizer_config.json names. */
  readonly padId: number | undefined
  /** What stands before a text where a model is asked to go on from it, such as a BOS: as Python's tokenizer puts it there. */
  readonly opening: Int32Array
  /** tokenizer_config.json as found, the chat template among it. */
  readonly config: TokenizerConfig | undefined

  readonly #json: TokenizerJson
  readonly #where: string
  readonly #spelling: Spelling
  readonly #content: HuggingFace
  #whole: HuggingFace | undefined
  #continuing: HuggingFace | undefined
  readonly #idOf: ReadonlyMap<string, number>
  /** [vocabSize] the bytes each id stands for; undefined where there is no such id. */
  readonly #bytes: readonly (Uint8Array | undefined)[]
  readonly #specialIds: ReadonlySet<number>

  private constructor(json: TokenizerJson, config: TokenizerConfig | undefined, where: string) {
    this.#json = json
    this.#where = where
    this.config = config
    this.#content = native(forContent(json), where)
    this.#spelling = spellingOf(json)
    this.#idOf = new Map(vocabularyOf(json))
    this.fingerprint = fingerprintOf(json)
    this.opening = Int32Array.from(openingOf(json))
    let highest = -1
    for (const id of this.#idOf.values()) highest = Math.max(highest, id)
    if (highest > LARGEST_ID) {
      throw new EmendError(
        `${where}: the token id ${highest} is larger than any vocabulary; expected at most ${LARGEST_ID}`,
      )
    }
    this.vocabSize = highest + 1
    const bytes: (Uint8Array | undefined)[] = new Array(this.vocabSize).fill(undefined)
    for (const [token, id] of this.#idOf) bytes[id] = this.#spelling.bytes(token)
    const added = json.added_tokens ?? []
    for (const { content, id } of added) bytes[id] = UTF8.encode(content)
    this.#bytes = bytes
    this.added = new Map(added.filter(({ content }) => !isSpacing(content)).map(({ content, id }) => [content, id]))
    this.specials = new Map(added.filter(token => token.special).map(({ content, id }) => [content, id]))
    this.#specialIds = new Set(this.specials.values())
    this.eosId = this.#named('eos_token') ?? USUAL_EOS.map(name => this.specials.get(name)).find(id => id !== undefined)
    this.padId = this.#named('pad_token')
  }

  /**
   * Loads a tokenizer.json, or the one in a folder or of a pulled model (`ORG/NAME`), with the tokenizer_config.json beside it if there is one.
   *
   * @throws EmendError of one line where the file is missing or is no tokenizer
   */
  static async load(named: string): Promise<Tokenizer> {
    const path = resolveModel(named)
    const file = existsSync(path) && statSync(path).isDirectory() ? join(path, 'tokenizer.json') : path
    if (!existsSync(file))
      throw new EmendError(`${file}: no such tokenizer; give a tokenizer.json or the folder that holds one`)
    return Tokenizer.parse(readFileSync(file, 'utf8'), {
      where: file,
      ...(basename(file) === 'tokenizer.json' && configBeside(dirname(file))),
    })
  }

  /**
   * Makes a tokenizer of the text of a tokenizer.json.
   *
   * @throws EmendError of one line, starting with `where`
   */
  static parse(text: string, options: { where?: string; config?: TokenizerConfig } = {}): Tokenizer {
    const where = options.where ?? 'tokenizer.json'
    return new Tokenizer(parseTokenizerJson(text, where), options.config, where)
  }

  /** Encodes one text; see `encodeBatch`. */
  async encode(text: string, options: { specials?: boolean; continued?: boolean } = {}): Promise<TokenizedText> {
    return (await this.encodeBatch([text], options))[0]!
  }

  /**
   * Encodes texts, made well-formed first, in parallel. Nothing is added (no BOS, no EOS) and nothing cut off.
   *
   * @param options.specials whether special tokens written in the text become special tokens: only for text of our own, such as
   *   a rendered chat template, never for what a user wrote
   * @param options.continued whether the texts go on in the middle of a longer one: nothing is put before them, such as the
   *   space that some tokenizers begin with
   */
  async encodeBatch(
    texts: readonly string[],
    options: { specials?: boolean; continued?: boolean } = {},
  ): Promise<TokenizedText[]> {
    if (texts.length === 0) return []
    const wellFormed = texts.map(text => text.toWellFormed())
    const encoder = options.specials
      ? (this.#whole ??= native({ ...this.#json, post_processor: null }, this.#where))
      : options.continued
        ? (this.#continuing ??= native(forContinuation(forContent(this.#json)), this.#where))
        : this.#content
    const encodings = await encoder.encodeBatch(wellFormed, { addSpecialTokens: false }).catch((error: Error) => {
      throw new EmendError(`${this.#where}: the tokenizer cannot encode: ${oneLine(error)}`, { cause: error })
    })
    return encodings.map((encoding, k) => {
      const text = wellFormed[k]!
      const ids = new Int32Array(encoding.getIds())
      const { tile, cover } = this.#byteLayout(text, ids) ?? layOutOffsets(text, encoding.getOffsets())
      return { text, ids, tile, cover, tokenizer: this.fingerprint }
    })
  }

  /**
   * Lays sampled ids out in the text they decode to: ids in, the same ids out, nothing encoded again. Special tokens hold no
   * character; bytes that end in the middle of one become U+FFFD.
   *
   * @throws RangeError on an id the vocabulary lacks
   */
  locate(ids: ArrayLike<number>): TokenizedText {
    return { ...layOutBytes(this.#pieces(ids, false)), ids: Int32Array.from(ids), tokenizer: this.fingerprint }
  }

  /**
   * The text of ids. Exact for characters cut across tokens; what is cut off at either end becomes U+FFFD.
   *
   * @param options.specials whether special tokens are written out; by default they are skipped
   * @throws RangeError on an id the vocabulary lacks
   */
  decode(ids: ArrayLike<number>, options: { specials?: boolean } = {}): string {
    const pieces = this.#pieces(ids, options.specials ?? false)
    let size = 0
    for (const piece of pieces) size += piece.length
    const bytes = new Uint8Array(size)
    let at = 0
    for (const piece of pieces) {
      bytes.set(piece, at)
      at += piece.length
    }
    return LENIENT.decode(bytes)
  }

  /**
   * The bytes of one id, special tokens' names included: what a stream of ids appends.
   *
   * @throws RangeError on an id the vocabulary lacks
   */
  tokenBytes(id: number): Uint8Array {
    const bytes = this.#bytes[id]
    if (!bytes) throw new RangeError(`token id ${id}: not in the vocabulary of ${this.vocabSize}`)
    return bytes
  }

  /** The text of one id, as people read it; parts of characters show as U+FFFD. */
  tokenText(id: number): string {
    return LENIENT.decode(this.tokenBytes(id))
  }

  /** The id of a token as the vocabulary spells it (`Ġthe`, `<eos>`). */
  idOf(token: string): number | undefined {
    return this.#idOf.get(token)
  }

  /** Whether every stretch between special tokens is encoded as the first is (`true`), or only the first gets a space before it. */
  get restarts(): boolean {
    return !onlyFirstIsPrefixed(this.#json)
  }

  /** Whether an id is a special token. */
  isSpecial(id: number): boolean {
    return this.#specialIds.has(id)
  }

  /** The text of its tokenizer.json, without truncation and padding: what `parse` makes the same tokenizer of. */
  get source(): string {
    return JSON.stringify(this.#json)
  }

  /** Writes tokenizer.json (without truncation and padding) and tokenizer_config.json into a folder, each whole or not at all. */
  save(folder: string): void {
    makeFolder(folder)
    writeAtomically(join(folder, 'tokenizer.json'), this.source)
    if (this.config) writeAtomically(join(folder, 'tokenizer_config.json'), JSON.stringify(this.config, null, 2))
  }

  #named(key: string): number | undefined {
    const value = this.config?.[key]
    const token = typeof value === 'string' ? value : (value as { content?: string } | null | undefined)?.content
    return token === undefined ? undefined : this.#idOf.get(token)
  }

  #pieces(ids: ArrayLike<number>, specials: boolean): Uint8Array[] {
    let first = this.#spelling.dropFirstSpace
    return Array.from(ids, id => {
      const bytes = this.tokenBytes(id)
      if (this.#specialIds.has(id)) return specials ? bytes : NO_BYTES
      const drop = first && bytes[0] === SPACE
      first = false
      return drop ? bytes.subarray(1) : bytes
    })
  }

  /** The exact layout by bytes, if the tokens' bytes are the text's; a normaliser makes them differ, and so do unknown tokens. */
  #byteLayout(text: string, ids: Int32Array): Layout | undefined {
    const bytes = Buffer.from(text)
    // `add_prefix_space` puts a space before the text, which is none of its characters.
    const ends = this.#endsIn(bytes, ids, false) ?? this.#endsIn(bytes, ids, true)
    return ends && layOutUtf8(text, bytes, ends)
  }

  /** [N] where the bytes of each token end in those of a text; undefined where they are not the text's. */
  #endsIn(bytes: Uint8Array, ids: Int32Array, prefixed: boolean): Int32Array | undefined {
    const ends = new Int32Array(ids.length)
    let dropSpace = this.#spelling.dropFirstSpace
    let at = 0
    for (let i = 0; i < ids.length; i++) {
      const piece = this.tokenBytes(ids[i]!)
      let from = 0
      if (dropSpace && !this.#specialIds.has(ids[i]!)) {
        if (piece[0] === SPACE) from++
        dropSpace = false
      }
      if (prefixed && i === 0 && piece[from++] !== SPACE) return undefined
      for (; from < piece.length; from++) if (piece[from] !== bytes[at++]) return undefined
      ends[i] = at
    }
    return at === bytes.length ? ends : undefined
  }
}

function native(json: TokenizerJson, where: string): HuggingFace {
  let tokenizer: HuggingFace
  try {
    tokenizer = HuggingFace.fromString(JSON.stringify(json))
  } catch (error) {
    throw new EmendError(`${where}: not a tokenizer that Hugging Face's tokenizers can load: ${oneLine(error)}`)
  }
  tokenizer.disableTruncation()
  tokenizer.disablePadding()
  // The library numbers added tokens anew where their ids do not follow the vocabulary's.
  for (const { content, id } of json.added_tokens ?? []) {
    const given = tokenizer.tokenToId(content)
    if (given === id) continue
    throw new EmendError(
      `${where}: added token '${content}': got id ${id}, where the library counts ${given ?? 'none'}; expected the ids after the vocabulary's in order`,
    )
  }
  return tokenizer
}

/** tokenizer_config.json, and the chat template that newer folders keep in a file of its own. */
function configBeside(folder: string): { config?: TokenizerConfig } {
  const [config, template] = [join(folder, 'tokenizer_config.json'), join(folder, 'chat_template.jinja')]
  if (!existsSync(config) && !existsSync(template)) return {}
  return {
    config: {
      ...(existsSync(config) && readConfig(config)),
      ...(existsSync(template) && { chat_template: readFileSync(template, 'utf8') }),
    },
  }
}

function readConfig(file: string): TokenizerConfig {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new EmendError(`${file}: not JSON (${(error as Error).message}); mend or remove it`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as TokenizerConfig
  throw new EmendError(`${file}: expected a JSON object; mend or remove it`)
}
