import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BYTE_CHARACTERS } from './byte-level.js'
import { Tokenizer } from './tokenizer.js'

/** Bytes, a few merges, and a special that is also a token of the vocabulary. */
function byteLevelJson(over: Record<string, unknown> = {}) {
  const merges = [
    ['h', 'i'],
    ['Ġ', 'hi'],
  ]
  const tokens = ['<eos>', ...BYTE_CHARACTERS, 'hi', 'Ġhi']
  return {
    version: '1.0',
    truncation: { direction: 'Right', max_length: 3, strategy: 'LongestFirst', stride: 0 },
    padding: {
      strategy: { Fixed: 9 },
      direction: 'Right',
      pad_to_multiple_of: null,
      pad_id: 0,
      pad_type_id: 0,
      pad_token: '<eos>',
    },
    added_tokens: [
      { id: 0, content: '<eos>', single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
    ],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: 'BPE', vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges },
    ...over,
  }
}
const parse = (json: unknown) => Tokenizer.parse(JSON.stringify(json), { where: 'here.json' })
const byte = (value: number) => 1 + value
const [EOS, HI, SPACE_HI] = [0, 257, 258]

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-test-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('a byte-level BPE, by hand', () => {
  const tokenizer = parse(byteLevelJson())

  it('encodes all of a text, whatever truncation and padding the file asks for', async () => {
    const { ids, cover, tile } = await tokenizer.encode('hi hi hi hi')
    expect([...ids]).toEqual([HI, SPACE_HI, SPACE_HI, SPACE_HI])
    expect(cover).toEqual([
      [0, 2],
      [2, 5],
      [5, 8],
      [8, 11],
    ])
    expect([...tile]).toEqual([0, 2, 5, 8, 11])
  })

  it('leaves special tokens in a text as text, unless asked', async () => {
    const text = 'hi<eos>'
    const ids = [...(await tokenizer.encode(text)).ids]
    expect(ids).toEqual([HI, ...[...'<eos>'].map(c => byte(c.charCodeAt(0)))])
    expect([...(await tokenizer.encode(text, { specials: true })).ids]).toEqual([HI, EOS])
  })

  it('makes texts well-formed', async () => {
    const { text, ids } = await tokenizer.encode('hi\ud83d')
    expect(text).toBe('hi\ufffd')
    expect([...ids]).toEqual([HI, byte(0xef), byte(0xbf), byte(0xbd)])
  })

  it('decodes, special tokens only if asked, cut characters as U+FFFD', () => {
    const emoji = [0xf0, 0x9f, 0x98, 0x80].map(byte)
    expect(tokenizer.decode([HI, ...emoji, SPACE_HI, EOS])).toBe('hi😀 hi')
    expect(tokenizer.decode([HI, EOS], { specials: true })).toBe('hi<eos>')
    expect(tokenizer.decode([...emoji.slice(2), HI, ...emoji.slice(0, 3)])).toBe('\ufffd\ufffdhi\ufffd')
    expect(tokenizer.decode([])).toBe('')
    expect(() => tokenizer.decode([HI, 259])).toThrow('token id 259: not in the vocabulary of 259')
  })

  it('locates sampled ids without encoding again', () => {
    // "h" + "i" is not how "hi" is encoded; the ids stay as they were sampled.
    const sampled = [byte(0x68), byte(0x69), byte(0xf0), byte(0x9f), EOS]
    const located = tokenizer.locate(sampled)
    expect(located.text).toBe('hi\ufffd')
    expect([...located.ids]).toEqual(sampled)
    expect(located.cover).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
      [2, 3],
      [3, 3],
    ])
  })

  it('knows its tokens', () => {
    expect(tokenizer.vocabSize).toBe(259)
    expect(tokenizer.idOf('Ġhi')).toBe(SPACE_HI)
    expect(tokenizer.idOf('nope')).toBeUndefined()
    expect(tokenizer.tokenText(SPACE_HI)).toBe(' hi')
    expect(tokenizer.tokenText(EOS)).toBe('<eos>')
    expect([...tokenizer.specials]).toEqual([['<eos>', EOS]])
    expect(tokenizer.isSpecial(EOS)).toBe(true)
    expect(tokenizer.eosId).toBe(EOS)
    expect(tokenizer.padId).toBeUndefined()
  })

  it('encodes many at once as one by one', async () => {
    const texts = ['hi', '', ' hi😀', 'x']
    const batch = await tokenizer.encodeBatch(texts)
    expect(batch).toEqual(await Promise.all(texts.map(text => tokenizer.encode(text))))
    expect(batch.map(({ ids }) => ids.length)).toEqual([1, 0, 5, 1])
    expect([...batch[1]!.tile]).toEqual([0])
  })

  it('saves without truncation and padding, and loads as the same', async () => {
    const config = { eos_token: { content: '<eos>' }, pad_token: '<eos>', chat_template: '{{ x }}' }
    Tokenizer.parse(JSON.stringify(byteLevelJson()), { config }).save(folder)
    const saved = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8'))
    expect(saved).toMatchObject({ truncation: null, padding: null, post_processor: byteLevelJson().post_processor })
    const loaded = await Tokenizer.load(folder)
    expect(loaded.fingerprint).toBe(tokenizer.fingerprint)
    expect(loaded.config).toEqual(config)
    expect([loaded.eosId, loaded.padId]).toEqual([EOS, EOS])
  })

  it('has one fingerprint whatever the order of keys and the spelling of merges, another for other merges', () => {
    const json = byteLevelJson()
    const shuffled = Object.fromEntries(Object.entries({ ...json, truncation: null }).reverse())
    const spelled = { ...json, model: { ...json.model, merges: json.model.merges.map(pair => pair.join(' ')) } }
    expect(parse(shuffled).fingerprint).toBe(tokenizer.fingerprint)
    expect(parse(spelled).fingerprint).toBe(tokenizer.fingerprint)
    const fewer = { ...json, model: { ...json.model, merges: json.model.merges.slice(1) } }
    expect(parse({ ...json, model: { ...fewer.model, merges: [json.model.merges[0]!] } }).fingerprint).not.toBe(
      tokenizer.fingerprint,
    )
    expect(tokenizer.fingerprint).toMatch(/^[0-9a-f]{64}$/)
  })

  it('a space put before the text is none of its characters', async () => {
    const json = byteLevelJson({
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    })
    const { ids, cover, tile } = await parse(json).encode('hi hi')
    expect([...ids]).toEqual([SPACE_HI, SPACE_HI])
    expect(cover).toEqual([
      [0, 2],
      [2, 5],
    ])
    expect([...tile]).toEqual([0, 2, 5])
  })
})

describe('other kinds, by hand', () => {
  it('whole words: what a normaliser drops goes to the following tile; the name of a special is an unknown word', async () => {
    const vocab = { '[UNK]': 0, '<eos>': 1, red: 2, green: 3 }
    const words = parse({
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [
        { id: 1, content: '<eos>', single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
      ],
      normalizer: { type: 'Lowercase' },
      pre_tokenizer: { type: 'WhitespaceSplit' },
      post_processor: null,
      decoder: null,
      model: { type: 'WordLevel', vocab, unk_token: '[UNK]' },
    })
    const { ids, cover, tile } = await words.encode(' Red  GREEN <eos>')
    expect([...ids]).toEqual([2, 3, 0])
    expect(cover).toEqual([
      [1, 4],
      [6, 11],
      [12, 17],
    ])
    expect([...tile]).toEqual([0, 4, 11, 17])
    expect([...(await words.encode('red <eos>', { specials: true })).ids]).toEqual([2, 1])
    // Without a decoder tokens are joined by spaces, as Hugging Face does it.
    expect(words.decode([2, 3, 1])).toBe('red green')
  })

  it("SentencePiece's spelling: ▁ is a space, bytes fall back, the first space is dropped", () => {
    const vocab = { '<unk>': 0, '▁hi': 1, '▁': 2, '<0xC3>': 3, '<0xA9>': 4 }
    const pieces = parse({
      version: '1.0',
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder: {
        type: 'Sequence',
        decoders: [
          { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
          { type: 'ByteFallback' },
          { type: 'Fuse' },
          { type: 'Strip', content: ' ', start: 1, stop: 0 },
        ],
      },
      model: { type: 'BPE', vocab, merges: [], unk_token: '<unk>', byte_fallback: true },
    })
    expect(pieces.decode([1, 1, 3, 4])).toBe('hi hié')
    expect(pieces.decode([3])).toBe('\ufffd')
  })
})

describe('what is no tokenizer gets one clear line', () => {
  const write = (name: string, text: string) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  it.each([
    ['text', 'broken.json', 'not json', 'not a Hugging Face tokenizer.json'],
    ['another object', 'other.json', '{"a": 1}', 'it has no "model"'],
    ['no vocabulary', 'novocab.json', '{"model": {}}', 'its "model" has no "vocab"'],
    [
      'strange ids',
      'ids.json',
      '{"model": {"vocab": {"a": -1}}}',
      "vocab['a']: expected a whole number, got number -1",
    ],
    ['an unknown model', 'model.json', '{"model": {"type": "X", "vocab": {"a": 0}}}', 'not a tokenizer that'],
  ])('%s', async (_, name, text, expected) => {
    const path = write(name, text)
    const message: string = await Tokenizer.load(path).then(
      () => '',
      error => error.message,
    )
    expect(message).toContain(expected)
    expect(message.startsWith(`${path}: `)).toBe(true)
    expect(message).not.toContain('\n')
  })

  it('a missing file', async () => {
    await expect(Tokenizer.load(join(folder, 'absent'))).rejects.toThrow(
      'absent: no such tokenizer; give a tokenizer.json',
    )
  })
})

it('an id beyond any vocabulary is refused before a table is made for it', () => {
  const json = JSON.stringify({
    version: '1.0',
    added_tokens: [],
    model: { type: 'BPE', vocab: { a: 2_000_000_000 }, merges: [] },
  })
  expect(() => Tokenizer.parse(json, { where: 'big.json' })).toThrow('big.json: the token id 2000000000 is larger')
})
