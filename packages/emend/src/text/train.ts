/** A byte-level BPE trained from texts, by Hugging Face's own trainer. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EmendError } from '../errors.js'
import { BYTE_CHARACTERS } from './byte-level.js'
import { Tokenizer } from './tokenizer.js'

/** How a tokenizer is trained. */
export interface TrainTokenizerOptions {
  /** Ids wanted: specials + 256 bytes + merges. Fewer come out where the texts yield too few merges. */
  readonly vocabSize: number
  /** Special tokens, ids from 0 on; default `<pad>`, `<eos>`. */
  readonly specials?: readonly string[]
  /** Where to save tokenizer.json and tokenizer_config.json. */
  readonly folder?: string
}

/** More characters than this are sampled down, by even steps: merges of a small vocabulary settle long before. */
const MOST_CHARACTERS = 2e7

const BYTE_LEVEL = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: true }

// The trainer has no options and draws progress bars on stdout, so it runs in a process of its own.
const CHILD = `
const [tokenizers, blank, texts, trained] = process.argv.slice(1)
const tokenizer = require(tokenizers).Tokenizer.fromFile(blank)
tokenizer.train([texts])
tokenizer.save(trained)
`

/**
 * Trains a byte-level BPE (GPT-2's pre-tokenizer). The trainer leaves out bytes it did not see and makes 30,000 tokens; the
 * vocabulary is rebuilt as specials, all 256 bytes, and the first merges. The same texts give the same tokenizer.
 *
 * @throws EmendError where the vocabulary asked for is too small, or training fails
 */
export async function trainTokenizer(texts: readonly string[], options: TrainTokenizerOptions): Promise<Tokenizer> {
  const { vocabSize, specials = ['<pad>', '<eos>'], folder } = options
  const least = specials.length + 256
  if (!Number.isInteger(vocabSize) || vocabSize < least)
    throw new EmendError(
      `vocabSize: got ${vocabSize}, expected a whole number of at least ${least} (specials and 256 bytes)`,
    )
  const merges = await learnMerges(sample(texts))

  const vocab = new Map<string, number>()
  const add = (token: string) => {
    if (!vocab.has(token)) vocab.set(token, vocab.size)
  }
  specials.forEach(add)
  BYTE_CHARACTERS.forEach(add)
  const kept: string[][] = []
  for (const merge of merges) {
    if (vocab.size >= vocabSize) break
    add(merge.join(''))
    kept.push(merge)
  }
  const json = tokenizerJson(vocab, kept, specials)
  const named = (token: string) => (specials.includes(token) ? token : undefined)
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    clean_up_tokenization_spaces: false,
    eos_token: named('<eos>'),
    pad_token: named('<pad>'),
  }
  const tokenizer = Tokenizer.parse(JSON.stringify(json), { config })
  if (folder) tokenizer.save(folder)
  return tokenizer
}

function tokenizerJson(vocab: ReadonlyMap<string, number>, merges: readonly string[][], specials: readonly string[]) {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specials.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: BYTE_LEVEL,
    post_processor: null,
    decoder: BYTE_LEVEL,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocab),
      merges,
    },
  }
}

/** All merges the trainer finds, in order. */
async function learnMerges(texts: readonly string[]): Promise<string[][]> {
  const work = mkdtempSync(join(tmpdir(), 'emend-tokenizer-'))
  try {
    const [blank, corpus, trained] = ['blank.json', 'texts.txt', 'trained.json'].map(name => join(work, name)) as [
      string,
      string,
      string,
    ]
    writeFileSync(blank, JSON.stringify(tokenizerJson(new Map(), [], [])))
    writeFileSync(corpus, texts.map(text => text.toWellFormed()).join('\n'))
    const library = createRequire(import.meta.url).resolve('tokenizers')
    await runNode(['-e', CHILD, library, blank, corpus, trained])
    const json = JSON.parse(readFileSync(trained, 'utf8')) as { model: { merges: (string | string[])[] } }
    return json.model.merges.map(merge => (typeof merge === 'string' ? merge.split(' ') : merge))
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

async function runNode(args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2000)
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code !== 0)
    throw new EmendError(`training the tokenizer failed (exit ${code}): ${complaint.trim().replace(/\s*\n\s*/g, ' ')}`)
}

/** Evenly spaced texts of at most MOST_CHARACTERS together. */
function sample(texts: readonly string[]): readonly string[] {
  let characters = 0
  for (const text of texts) characters += text.length
  const step = characters / MOST_CHARACTERS
  return step <= 1 ? texts : texts.filter((_, i) => Math.floor((i + 1) / step) > Math.floor(i / step))
}
