import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import type { TokenizedText } from '@emend/edits'
import { beforeAll, describe, expect, it } from 'vitest'
import { openGguf, tokenizerFiles } from '../checkpoints/gguf/index.js'
import { smolLm2 } from '../checkpoints/gguf/smollm2.fixture.js'
import { BYTE_CHARACTERS } from './byte-level.js'
import { testData } from './test-data.js'
import { Tokenizer } from './tokenizer.js'

interface Golden {
  readonly file_sha256?: string
  readonly tokens: number
  readonly content: readonly string[]
  readonly whole: Readonly<Record<string, string>>
}

const goldens = new URL('../../goldens/tokenizers/', import.meta.url)
const read = (name: string) => JSON.parse(readFileSync(new URL(name, goldens), 'utf8'))
const texts: string[] = read('strings.json')
const wellFormed = texts.map(text => text.toWellFormed())
const ids = read('ids.json') as Record<string, Golden>

const digest = (encoded: TokenizedText) => createHash('sha256').update(encoded.ids.join(',')).digest('hex').slice(0, 12)
const own = (name: string) => new URL(`${name}/tokenizer.json`, goldens).pathname

/** The tokenizer that a GGUF file describes. */
function ofGguf(path: string): Tokenizer {
  const { json, config } = tokenizerFiles(openGguf(path).header)
  return Tokenizer.parse(JSON.stringify(json), { where: path, config })
}

/** Each with its spelling of a text's bytes; undefined where a text goes through a normaliser or `<unk>` and is checked by text. */
const tokenizers: Record<string, { path: string | undefined; bytes: boolean }> = {
  gpt2: { path: testData('tokenizers', 'gpt2', 'tokenizer.json'), bytes: true },
  minimind: { path: testData('tokenizers', 'minimind', 'tokenizer.json'), bytes: true },
  smollm2: { path: smolLm2(), bytes: true },
  'byte-level': { path: own('byte-level'), bytes: true },
  'byte-fallback': { path: own('byte-fallback'), bytes: true },
  unigram: { path: own('unigram'), bytes: false },
}

it('1,000 texts', () => expect(new Set(texts).size).toBe(1000))

for (const [name, { path, bytes }] of Object.entries(tokenizers)) {
  const golden = ids[name] as Golden
  describe.skipIf(!path || !existsSync(path))(name, () => {
    let tokenizer: Tokenizer
    let encoded: TokenizedText[]
    beforeAll(async () => {
      tokenizer = path!.endsWith('.gguf') ? ofGguf(path!) : await Tokenizer.load(path!)
      encoded = await tokenizer.encodeBatch(texts)
    })

    it("gives the ids of Python's tokenizers, special tokens in a text being text", () => {
      if (golden.file_sha256)
        expect(createHash('sha256').update(readFileSync(path!)).digest('hex')).toBe(golden.file_sha256)
      const wrong = encoded.flatMap((one, i) => (digest(one) === golden.content[i] ? [] : [texts[i]]))
      expect(wrong).toEqual([])
      expect(encoded.reduce((sum, one) => sum + one.ids.length, 0)).toBe(golden.tokens)
    })

    it('and special tokens being special tokens, where that is asked for', async () => {
      const whole = await tokenizer.encodeBatch(texts, { specials: true })
      const wrong = whole.flatMap((one, i) =>
        digest(one) === (golden.whole[i] ?? golden.content[i]) ? [] : [texts[i]],
      )
      expect(wrong).toEqual([])
    })

    it('tiles joined give the well-formed text back', () => {
      for (const [i, { text, tile, ids }] of encoded.entries()) {
        expect(text).toBe(wellFormed[i])
        expect(tile.length).toBe(ids.length + 1)
        expect(tile[0]).toBe(0)
        expect(tile.at(-1)).toBe(ids.length === 0 ? 0 : text.length)
        for (let t = 0; t < ids.length; t++) expect(tile[t]! <= tile[t + 1]!).toBe(true)
      }
    })

    it.runIf(bytes)('a token covers just the characters of which it holds a byte', () => {
      const lacks = new Set(
        BYTE_CHARACTERS.flatMap((letter, byte) => (tokenizer.idOf(letter) === undefined ? [byte] : [])),
      )
      let checked = 0
      for (const { text, ids, cover } of encoded) {
        // SentencePiece's own sign for a space becomes one; SmolLM2 has no token for 21 bytes and drops them. Other bytes, then.
        if (name === 'byte-fallback' ? text.includes('▁') : Buffer.from(text).some(byte => lacks.has(byte))) continue
        checked++
        // Every byte of the text, in order, and the character it is of; a tokenizer may put one space before the text.
        const owners: [number, number][] = []
        let unit = 0
        for (const character of text) {
          const range: [number, number] = [unit, (unit += character.length)]
          for (let i = 0; i < Buffer.byteLength(character); i++) owners.push(range)
        }
        const sizes = Array.from(ids, id => tokenizer.tokenBytes(id).length)
        let at = owners.length - sizes.reduce((a, b) => a + b, 0)
        expect(at === 0 || at === -1).toBe(true)
        for (const [t, size] of sizes.entries()) {
          const held = owners.slice(Math.max(0, at), at + size)
          at += size
          if (held.length > 0) expect([t, ...cover[t]!]).toEqual([t, held[0]![0], held.at(-1)![1]])
          else expect(cover[t]![0]).toBe(cover[t]![1])
        }
      }
      expect(checked).toBeGreaterThan(950)
    })

    it.runIf(!bytes)(
      'what a token says stands in what it covers, and everything else was dropped or is unknown',
      () => {
        const unknown = tokenizer.idOf('<unk>')
        let said = 0
        for (const { text, ids, cover } of encoded) {
          let covered = 0
          for (const [t, [start, end]] of cover.entries()) {
            expect(start <= end && end <= text.length).toBe(true)
            // A normaliser takes nothing but characters of no width and such out between two tokens.
            expect(text.slice(covered, start).normalize('NFKC').replace(/\s/g, '')).toBe('')
            covered = Math.max(covered, end)
            if (ids[t] === unknown) continue
            const piece = tokenizer.tokenText(ids[t]!).trim()
            expect(text.slice(start, end).normalize('NFKC')).toContain(piece)
            said += piece === '' ? 0 : 1
          }
          expect(text.slice(covered).trim()).toBe('')
        }
        expect(said).toBeGreaterThan(5000)
      },
    )
  })
}
