import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decoderConfig } from '../../models/index.js'
import { Tokenizer } from '../../text/index.js'
import { golden } from './goldens.fixture.js'
import { readGgufHeader } from './header.js'
import { mergesFromScores } from './merges.js'
import { PRE_TOKENIZERS, preTokenizerName, preTokenizerNamed } from './pre-tokenizers.js'
import { smolLm2 } from './smollm2.fixture.js'
import { specialIds, type TokenizerFiles, tokenizerFiles } from './vocabulary.js'
import { vocabularyEntries } from './vocabulary-entries.js'

interface Encoded {
  readonly text: string
  readonly ids: readonly number[]
}
const goldens = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../goldens/gguf/${name}.json`, import.meta.url), 'utf8'))

const tokenizerOf = ({ json, config }: TokenizerFiles) => Tokenizer.parse(JSON.stringify(json), { config })
const model = (vocabSize: number) => decoderConfig({ vocabSize, hiddenSize: 8, layers: 1, heads: 1, eos: [2], bos: 1 })
const entriesOf = (files: TokenizerFiles, rows: number) =>
  new Map(vocabularyEntries(files, model(rows)).map(([key, , value]) => [key.replace('tokenizer.', ''), value]))

async function expectIds(tokenizer: Tokenizer, expected: readonly Encoded[], specials = false) {
  const texts = expected.map(({ text }) => text)
  const encoded = await tokenizer.encodeBatch(texts, { specials })
  expect(encoded.map(({ ids }, i) => ({ text: texts[i], ids: [...ids] }))).toEqual(expected)
}

describe('a SentencePiece vocabulary', () => {
  const header = readGgufHeader(golden('sentencepiece'))
  const files = tokenizerFiles(header)

  it('gives the ids of SentencePiece itself', async () => {
    // In an empty text there is no first character for the space before it.
    await expectIds(tokenizerOf(files), goldens('sentencepiece'))
    // Without a key that says otherwise llama.cpp puts the BOS before such a vocabulary's texts.
    expect([...tokenizerOf(files).opening]).toEqual([1])
  })

  it('written again has the same kinds, and scores in the same order', () => {
    const rows = (header.metadata.get('tokenizer.ggml.tokens') as string[]).length
    const entries = entriesOf(files, rows)
    expect(entries.get('ggml.model')).toBe('llama')
    expect(entries.get('ggml.add_bos_token')).toBe(true)
    expect(entries.get('ggml.token_type')).toEqual(header.metadata.get('tokenizer.ggml.token_type'))
    const back = new Map(header.metadata)
    for (const key of ['ggml.scores', 'ggml.tokens']) back.set(`tokenizer.${key}`, entries.get(key) as string[])
    const again = tokenizerFiles({ ...header, metadata: back })
    expect(again).toEqual(files)
  })

  it('merges that no scores can say are refused', () => {
    const { model, ...rest } = files.json
    const merges = (model.merges as string[][]).slice(1)
    expect(() => entriesOf({ ...files, json: { ...rest, model: { ...model, merges } } }, 560)).toThrow(
      'its merges are not those that SentencePiece would make of its vocabulary',
    )
  })

  it('merges come best first, from scores worked out by hand', () => {
    const vocab = new Map(['a', 'b', 'c', 'ab', 'bc', 'abc'].map((token, id) => [token, id]))
    const scores = new Map([
      ['ab', -2],
      ['bc', -1],
      ['abc', -3],
    ])
    // abc is made of ab + c or of a + bc: of equal scores the longer left part comes first.
    expect(mergesFromScores(vocab, scores)).toEqual([
      ['b', 'c'],
      ['a', 'b'],
      ['ab', 'c'],
      ['a', 'bc'],
    ])
  })
})

describe('a byte-level vocabulary', () => {
  const files = tokenizerFiles(readGgufHeader(golden('qwen2')))

  it('has special tokens, added tokens and ordinary ones', async () => {
    const tokenizer = tokenizerOf(files)
    expect([...tokenizer.specials]).toEqual([
      ['<pad>', 0],
      ['<bos>', 1],
      ['<eos>', 2],
    ])
    expect([tokenizer.eosId, tokenizer.padId, tokenizer.config?.['chat_template']]).toEqual([
      2,
      0,
      '{{ messages[0].content }}',
    ])
    // abcd is one token by its merges; the digits are cut one by one; a space is Ġ, the last token.
    await expectIds(tokenizer, [{ text: 'abcd a', ids: [6, 95, tokenizer.idOf('a')!] }])
    await expectIds(tokenizer, [{ text: '<eos>ab<think>', ids: [2, 4, 3] }], true)
  })

  it('is filled up to the rows of the embedding table, and read back without what fills it', () => {
    const entries = entriesOf(files, 100)
    const tokens = entries.get('ggml.tokens') as string[]
    expect(tokens.slice(94)).toEqual(['z', 'Ġ', '[PAD96]', '[PAD97]', '[PAD98]', '[PAD99]'])
    expect((entries.get('ggml.token_type') as number[]).slice(95)).toEqual([1, 5, 5, 5, 5])
    const header = readGgufHeader(golden('qwen2'))
    const metadata = new Map(header.metadata)
    for (const key of ['ggml.tokens', 'ggml.token_type']) metadata.set(`tokenizer.${key}`, entries.get(key) as string[])
    expect(tokenizerFiles({ ...header, metadata })).toEqual(files)
    expect(() => entriesOf(files, 95)).toThrow("token 95 is outside the model's embedding table of 95")
  })

  it('what ends a turn is found by its name where no key says it, and a BOS is added where llama.cpp does', () => {
    const header = readGgufHeader(golden('qwen2'))
    const tokens = [...(header.metadata.get('tokenizer.ggml.tokens') as string[])]
    tokens[3] = '<|im_end|>'
    const metadata = new Map(header.metadata).set('tokenizer.ggml.tokens', tokens)
    expect(specialIds({ ...header, metadata }, 96)).toEqual({ bos: 1, eos: [2, 3], pad: 0 })
    expect(specialIds({ ...header, metadata: metadata.set('tokenizer.ggml.eot_token_id', 6) }, 96).eos).toEqual([2, 6])
    expect(files.json['post_processor']).toBe(null)
    const llama3 = tokenizerFiles({ ...header, metadata: metadata.set('tokenizer.ggml.pre', 'llama-bpe') })
    expect(llama3.config['add_bos_token']).toBe(true)
    expect(llama3.json['post_processor']).toMatchObject({
      single: [{ SpecialToken: { id: '<bos>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      special_tokens: { '<bos>': { id: '<bos>', ids: [1], tokens: ['<bos>'] } },
    })
  })

  it('several chat templates keep their names', () => {
    const named = (name: string) => ({ name, template: `{{ '${name}' }}` })
    const config = { ...files.config, chat_template: [named('default'), named('tool_use'), named('rag')] }
    const entries = entriesOf({ ...files, config }, 96)
    expect(entries.get('chat_template')).toBe("{{ 'default' }}")
    const header = readGgufHeader(golden('qwen2'))
    const templates = [...entries].filter(([key]) => key.startsWith('chat_template'))
    const metadata = new Map([
      ...header.metadata,
      ...templates.map(([key, value]) => [`tokenizer.${key}`, value] as const),
    ])
    expect(tokenizerFiles({ ...header, metadata: metadata as typeof header.metadata }).config).toEqual(config)
  })

  it('what llama.cpp has no place for is refused', () => {
    const change = (part: object): TokenizerFiles => ({ ...files, json: { ...files.json, ...part } })
    const stripped = files.json.added_tokens!.map(token => ({ ...token, lstrip: true }))
    expect(() => entriesOf(change({ added_tokens: stripped }), 96)).toThrow('added token "<pad>" has lstrip')
    const odd = { type: 'Whitespace' }
    const sequence = { type: 'Sequence', pretokenizers: [odd, { type: 'ByteLevel', add_prefix_space: false }] }
    expect(() => entriesOf(change({ pre_tokenizer: sequence }), 96)).toThrow(
      'llama.cpp has no name for how it cuts text',
    )
    const unigram = { model: { type: 'Unigram', vocab: [['a', -1]] }, decoder: null, pre_tokenizer: null }
    expect(() => entriesOf(change(unigram), 96)).toThrow('its model is Unigram, expected BPE')
  })

  it.each(PRE_TOKENIZERS)('the name %s stands for the same after going both ways', name => {
    const meant = preTokenizerNamed(name)!
    expect(preTokenizerNamed(preTokenizerName(meant)!)).toEqual(meant)
  })
})

const file = smolLm2()
describe.skipIf(!file)('SmolLM2', () => {
  it('ids are those of Python tokenizers, special tokens in the chat template too', async () => {
    const { texts, prompts } = goldens('smollm2') as { texts: Encoded[]; prompts: Encoded[] }
    const tokenizer = tokenizerOf(tokenizerFiles(readGgufHeader(file!)))
    await expectIds(tokenizer, texts, true)
    await expectIds(
      tokenizer,
      prompts.map(({ text, ids }) => ({ text, ids })),
      true,
    )
    expect([tokenizer.eosId, tokenizer.padId]).toEqual([2, 2])
  })

  it('written again it is what it was', () => {
    const header = readGgufHeader(file!)
    const entries = entriesOf(tokenizerFiles(header), 49_152)
    for (const [key, value] of entries) {
      if (!key.endsWith('add_eos_token')) expect(value, key).toEqual(header.metadata.get(`tokenizer.${key}`))
    }
  })
})
