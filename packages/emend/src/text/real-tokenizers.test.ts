import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { diffTexts, labelTokens } from '@emend/edits'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { testData } from './test-data.js'
import { Tokenizer } from './tokenizer.js'

interface Golden {
  readonly file_sha256: string
  readonly rows: { text: string; ids: number[]; cuts: { ids: number[]; text: string }[] }[]
}
const goldens = JSON.parse(
  readFileSync(new URL('../../goldens/tokenizers/python.json', import.meta.url), 'utf8'),
) as Record<string, Golden>

const text = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 6 }),
      fc.constantFrom(
        ' ',
        '\n',
        'the ',
        'cats',
        '😀',
        '👨‍👩‍👧',
        '🇩🇪',
        'é',
        'שלום',
        '狗',
        '<|endoftext|>',
        '<|im_end|>',
        '\ud83d',
      ),
    ),
    { maxLength: 12 },
  )
  .map(parts => parts.join(''))

for (const name of ['gpt2', 'minimind']) {
  const path = testData('tokenizers', name, 'tokenizer.json')
  describe.skipIf(!path)(name, () => {
    let tokenizer: Tokenizer
    /** [vocabSize] bytes of each id, worked out here from the file alone. */
    let bytesOf: Uint8Array[]
    beforeAll(async () => {
      tokenizer = await Tokenizer.load(path!)
      bytesOf = bytesFromFile(path!)
    })

    it("gives the ids and decodings of Python's tokenizers", async () => {
      const { file_sha256, rows } = goldens[name]!
      expect(createHash('sha256').update(readFileSync(path!)).digest('hex')).toBe(file_sha256)
      for (const row of rows) {
        expect([...(await tokenizer.encode(row.text)).ids]).toEqual(row.ids)
        for (const cut of row.cuts) expect(tokenizer.decode(cut.ids, { specials: true })).toBe(cut.text)
      }
    })

    it('tiles joined give the well-formed text back; decoding does too; located ids stand where encoded ones do', async () => {
      await fc.assert(
        fc.asyncProperty(text, async raw => {
          const encoded = await tokenizer.encode(raw)
          const { tile, ids } = encoded
          expect(encoded.text).toBe(raw.toWellFormed())
          expect(tile.length).toBe(ids.length + 1)
          expect(Array.from(ids, (_, i) => encoded.text.slice(tile[i], tile[i + 1])).join('')).toBe(raw.toWellFormed())
          expect(tokenizer.decode(ids)).toBe(raw.toWellFormed())
          expect(tokenizer.locate(ids)).toEqual(encoded)
        }),
        { numRuns: 500 },
      )
    })

    it('no special token comes out of a text', async () => {
      await fc.assert(
        fc.asyncProperty(text, async raw => {
          for (const id of (await tokenizer.encode(raw)).ids) expect(tokenizer.isSpecial(id)).toBe(false)
        }),
        { numRuns: 200 },
      )
    })

    it('a token is changed just if it shares a byte with a changed character', async () => {
      await fc.assert(
        fc.asyncProperty(text, text, fc.nat(), fc.nat(), async (raw, put, a, b) => {
          const draftText = raw.toWellFormed()
          const [start, end] = [a % (raw.length + 1), b % (raw.length + 1)].sort((x, y) => x - y) as [number, number]
          const finalText = (draftText.slice(0, start) + put + draftText.slice(end)).toWellFormed()
          const [draft, final] = (await tokenizer.encodeBatch([draftText, finalText])) as [
            Awaited<ReturnType<Tokenizer['encode']>>,
            Awaited<ReturnType<Tokenizer['encode']>>,
          ]
          const ops = diffTexts(draft.text, final.text)
          const labels = labelTokens(ops, draft, final)
          for (const side of ['draft', 'final'] as const) {
            const { text: sideText, ids } = side === 'draft' ? draft : final
            const changedBytes = bytesOfChanged(
              sideText,
              ops.map(op => op[side]),
            )
            let at = 0
            Array.from(ids).forEach((id, i) => {
              const size = bytesOf[id]!.length
              expect(labels[side].changed[i] === 1).toBe(changedBytes.slice(at, at + size).includes(true))
              at += size
            })
            expect(at).toBe(changedBytes.length)
          }
        }),
        { numRuns: 500 },
      )
    })

    it('every byte token of a changed emoji is changed', async () => {
      const [draft, final] = await tokenizer.encodeBatch(['so 😀!', 'so 😁!'])
      const labels = labelTokens(diffTexts(draft!.text, final!.text), draft!, final!)
      // F0 9F 98 80 and F0 9F 98 81: whichever way they are cut, 'so' and '!' stay and all between them changes,
      // but for a space that is a token of its own.
      const texts = Array.from(draft!.ids, id => tokenizer.tokenText(id))
      const expected = texts.map(piece => (/^(so|s|o| |!)$/.test(piece) ? 0 : 1))
      expect(expected.filter(Boolean).length).toBeGreaterThanOrEqual(2)
      expect([...labels.draft.changed]).toEqual(expected)
    })
  })
}

/** Whether each UTF-8 byte of a text belongs to a character that a range touches. */
function bytesOfChanged(text: string, ranges: readonly (readonly [number, number])[]): boolean[] {
  const changed: boolean[] = []
  let unit = 0
  for (const character of text) {
    const touched = ranges.some(([start, end]) => start < unit + character.length && end > unit)
    for (let i = 0; i < Buffer.byteLength(character); i++) changed.push(touched)
    unit += character.length
  }
  return changed
}

/** The bytes of every id by GPT-2's published rule (`bytes_to_unicode` of openai/gpt-2's encoder.py). */
function bytesFromFile(path: string): Uint8Array[] {
  const printable = [...range(33, 126), ...range(161, 172), ...range(174, 255)]
  const byteOf = new Map(printable.map(byte => [String.fromCodePoint(byte), byte]))
  let next = 0
  for (const byte of range(0, 255)) if (!printable.includes(byte)) byteOf.set(String.fromCodePoint(256 + next++), byte)
  const { model } = JSON.parse(readFileSync(path, 'utf8')) as { model: { vocab: Record<string, number> } }
  const bytes: Uint8Array[] = []
  for (const [token, id] of Object.entries(model.vocab)) bytes[id] = Uint8Array.from(token, c => byteOf.get(c) ?? 0)
  return bytes
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}
