import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Tokenizer } from './tokenizer.js'
import { trainTokenizer } from './train.js'

const texts = Array.from({ length: 200 }, (_, i) => `the cat sat on the mat ${i}, the constructor too`)

it('learns the commonest pairs first', async () => {
  const tokenizer = await trainTokenizer(['aaab aaab aaab', 'ab'], { vocabSize: 2 + 256 + 1 })
  // Pairs, word by word with their leading spaces: (a,a) 2×3, (a,b) 4, (Ġ,a) 2.
  expect(tokenizer.tokenText(258)).toBe('aa')
})

it('has the specials first, then all 256 bytes, and the size asked for', async () => {
  const tokenizer = await trainTokenizer(texts, { vocabSize: 300, specials: ['<pad>', '<eos>', '<x>'] })
  expect(tokenizer.vocabSize).toBe(300)
  expect([...tokenizer.specials]).toEqual([
    ['<pad>', 0],
    ['<eos>', 1],
    ['<x>', 2],
  ])
  expect([tokenizer.padId, tokenizer.eosId]).toEqual([0, 1])
  const bytes = new Set(Array.from({ length: 256 }, (_, i) => tokenizer.tokenBytes(3 + i)[0]))
  expect(bytes.size).toBe(256)
  expect([...(await tokenizer.encode('the cat')).ids].length).toBeLessThan(7)
})

it('encodes any text, though it saw little, and gives it back', async () => {
  const tokenizer = await trainTokenizer(texts, { vocabSize: 400 })
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), async text => {
      expect(tokenizer.decode((await tokenizer.encode(text)).ids)).toBe(text)
    }),
    { numRuns: 200 },
  )
})

it('the same texts give the same files, which Hugging Face and we read back', async () => {
  const folders = ['a', 'b'].map(name => mkdtempSync(join(tmpdir(), `emend-test-${name}-`)))
  try {
    for (const folder of folders) await trainTokenizer(texts, { vocabSize: 320, folder })
    const [a, b] = folders.map(folder => readFileSync(join(folder, 'tokenizer.json'), 'utf8'))
    expect(a).toBe(b)
    const loaded = await Tokenizer.load(folders[0]!)
    expect([...(await loaded.encode(' constructor')).ids]).toHaveLength(1)
    expect(loaded.eosId).toBe(1)
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true })
  }
})

it('stops where the texts yield no more merges', async () => {
  // One word of three letters: two merges.
  expect((await trainTokenizer(['abc'], { vocabSize: 1000 })).vocabSize).toBe(2 + 256 + 2)
})

it('refuses a vocabulary that cannot hold the bytes', async () => {
  await expect(trainTokenizer(texts, { vocabSize: 100 })).rejects.toThrow(
    'vocabSize: got 100, expected a whole number of at least 258',
  )
})
