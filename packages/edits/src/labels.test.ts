import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { diffTexts } from './diff.js'
import { labelTokens, type TokenizedText, withEos } from './labels.js'
import type { EditOp, Range } from './operations.js'

/** Tokens from pieces of text; equal pieces get equal ids (their place in `known`). */
function tokens(...pieces: string[]): TokenizedText {
  const cover: Range[] = []
  let at = 0
  for (const piece of pieces) cover.push([at, (at += piece.length)])
  return {
    text: pieces.join(''),
    ids: Int32Array.from(pieces, idOf),
    tile: Int32Array.from([0, ...cover.map(([, end]) => end)]),
    cover,
    tokenizer: 'by hand',
  }
}
const known: string[] = ['<eos>']
function idOf(piece: string): number {
  if (!known.includes(piece)) known.push(piece)
  return known.indexOf(piece)
}
const EOS = 0

function label(draft: TokenizedText, final: TokenizedText, ops: readonly EditOp[] = diffTexts(draft.text, final.text)) {
  const { draft: d, final: f, editRatio } = labelTokens(ops, draft, final)
  const plain = (side: typeof d) => ({
    changed: [...side.changed],
    pair: [...side.pair],
    gap: [...side.gap],
    firstChange: side.firstChange,
  })
  return { draft: plain(d), final: plain(f), editRatio }
}

describe('labelTokens, by hand', () => {
  it('an insertion changes nothing in the draft, and leaves a gap there', () => {
    expect(label(tokens('I', ' like', ' cats'), tokens('I', ' like', ' big', ' cats'))).toEqual({
      draft: { changed: [0, 0, 0], pair: [0, 1, 3], gap: [0, 0, 1, 0], firstChange: 2 },
      final: { changed: [0, 0, 1, 0], pair: [0, 1, -1, 2], gap: [0, 0, 0, 0, 0], firstChange: 2 },
      editRatio: 1 / 7,
    })
  })

  it('a deletion changes nothing in the final, and leaves a gap there', () => {
    expect(label(tokens('I', ' like', ' big', ' cats'), tokens('I', ' like', ' cats'))).toEqual({
      draft: { changed: [0, 0, 1, 0], pair: [0, 1, -1, 2], gap: [0, 0, 0, 0, 0], firstChange: 2 },
      final: { changed: [0, 0, 0], pair: [0, 1, 3], gap: [0, 0, 1, 0], firstChange: 2 },
      editRatio: 1 / 7,
    })
  })

  it('a substitution changes the tokens it touches on both sides', () => {
    // No gap: a replaced stretch stands on both sides.
    expect(label(tokens('q ', 'dog', '!'), tokens('q ', 'mi', 'ce', '!'))).toEqual({
      draft: { changed: [0, 1, 0], pair: [0, -1, 3], gap: [0, 0, 0, 0], firstChange: 1 },
      final: { changed: [0, 1, 1, 0], pair: [0, -1, -1, 2], gap: [0, 0, 0, 0, 0], firstChange: 1 },
      editRatio: 3 / 7,
    })
  })

  it('a character cut across tokens changes all of them', () => {
    // An emoji of four bytes in three tokens, the first of which also holds the space before it.
    const draft: TokenizedText = {
      text: 'a 😀b',
      ids: Int32Array.of(idOf('a'), 101, 102, 103, idOf('b')),
      tile: Int32Array.of(0, 1, 2, 2, 4, 5),
      cover: [
        [0, 1],
        [1, 4],
        [2, 4],
        [2, 4],
        [4, 5],
      ],
      tokenizer: 'by hand',
    }
    const final: TokenizedText = { ...draft, text: 'a 😁b', ids: Int32Array.of(idOf('a'), 101, 102, 104, idOf('b')) }
    expect(label(draft, final)).toEqual({
      draft: { changed: [0, 1, 1, 1, 0], pair: [0, -1, -1, -1, 4], gap: [0, 0, 0, 0, 0, 0], firstChange: 1 },
      final: { changed: [0, 1, 1, 1, 0], pair: [0, -1, -1, -1, 4], gap: [0, 0, 0, 0, 0, 0], firstChange: 1 },
      editRatio: 6 / 10,
    })
    expect(label(draft, draft).draft).toEqual({
      changed: [0, 0, 0, 0, 0],
      pair: [0, 1, 2, 3, 4],
      gap: [0, 0, 0, 0, 0, 0],
      firstChange: 5,
    })
  })

  it('an insertion inside a token leaves it kept but unpaired, with the gap after it', () => {
    expect(label(tokens('the ', 'cats'), tokens('the ', 'ca', 'r', 'ts'))).toEqual({
      draft: { changed: [0, 0], pair: [0, -1], gap: [0, 0, 1], firstChange: 1 },
      final: { changed: [0, 0, 1, 0], pair: [0, -1, -1, -1], gap: [0, 0, 0, 0, 0], firstChange: 1 },
      editRatio: 1 / 6,
    })
  })

  it('kept characters that are cut into other tokens are kept and unpaired', () => {
    const labels = label(tokens('ab', 'c', ' x'), tokens('a', 'bc', ' y'))
    expect(labels.draft).toEqual({ changed: [0, 0, 1], pair: [-1, -1, -1], gap: [0, 0, 0, 0], firstChange: 0 })
    expect(labels.final.firstChange).toBe(0)
  })

  it('a gap at the very end comes before EOS', () => {
    expect(label(withEos(tokens('Hi'), EOS), withEos(tokens('Hi', ' Ann'), EOS))).toEqual({
      draft: { changed: [0, 0], pair: [0, 2], gap: [0, 1, 0], firstChange: 1 },
      final: { changed: [0, 1, 0], pair: [0, -1, 1], gap: [0, 0, 0, 0], firstChange: 1 },
      editRatio: 1 / 5,
    })
  })

  it('a draft that was cut off has no EOS; the final keeps its own, unpaired', () => {
    const labels = label(tokens('Hi'), withEos(tokens('Hi', ' Ann'), EOS))
    expect(labels.draft).toEqual({ changed: [0], pair: [0], gap: [0, 1], firstChange: 1 })
    expect(labels.final).toEqual({ changed: [0, 1, 0], pair: [0, -1, -1], gap: [0, 0, 0, 0], firstChange: 1 })
  })

  it('empty sides', () => {
    expect(label(tokens(), tokens()).editRatio).toBe(0)
    expect(label(tokens(), tokens('new'))).toEqual({
      draft: { changed: [], pair: [], gap: [1], firstChange: 0 },
      final: { changed: [1], pair: [-1], gap: [0, 0], firstChange: 0 },
      editRatio: 1,
    })
  })

  it('refuses operations of another text', () => {
    expect(() => labelTokens([{ op: 'delete', draft: [2, 9], final: [2, 2] }], tokens('abcd'), tokens('ab'))).toThrow(
      'ops[0] (delete, draft [2,9), final [2,2)): its draft range must lie in order within [0, 4)',
    )
    expect(() => labelTokens([], tokens('abc'), tokens('ab'))).toThrow('3 units long in the draft but 2 in the final')
  })
})

describe('labelTokens, over arbitrary texts and cuts', () => {
  const alphabet = fc.constantFrom('a', 'b', ' ', 'the ', '😀', '.', 'é')
  const cut = fc.array(
    fc.array(alphabet, { minLength: 1, maxLength: 4 }).map(parts => parts.join('')),
    { maxLength: 12 },
  )

  it('marks a token just if one of its characters is changed; pairs are mutual, kept, and of one id', () => {
    fc.assert(
      fc.property(cut, cut, (draftPieces, finalPieces) => {
        const [draft, final] = [tokens(...draftPieces), tokens(...finalPieces)]
        const ops = diffTexts(draft.text, final.text)
        const labels = labelTokens(ops, draft, final)
        for (const [side, text, other, otherText] of [
          ['draft', draft, 'final', final],
          ['final', final, 'draft', draft],
        ] as const) {
          // Character by character, the slow way.
          const dirty = new Array<boolean>(text.text.length).fill(false)
          for (const op of ops) dirty.fill(true, ...op[side])
          text.cover.forEach(([start, end], i) => {
            expect(labels[side].changed[i] === 1).toBe(dirty.slice(start, end).includes(true))
            const mate = labels[side].pair[i]!
            if (mate < 0) return
            expect(labels[side].changed[i]).toBe(0)
            expect(labels[other].pair[mate]).toBe(i)
            expect(otherText.ids[mate]).toBe(text.ids[i])
          })
        }
        expect(labels.draft.firstChange).toBe(labels.final.firstChange)
        const same = labels.draft.firstChange
        expect(draft.ids.slice(0, same)).toEqual(final.ids.slice(0, same))
      }),
      { numRuns: 1000 },
    )
  })

  it('looks at each token a few times only, however many there are', () => {
    const looks = (n: number) => {
      const text = 'cd ab '.repeat(n / 2)
      let count = 0
      const cover = Array.from({ length: n }, (_, i): Range => [3 * i, 3 * i + 3])
      const counted = new Proxy(cover, {
        get(target, key, receiver) {
          if (typeof key === 'string' && /^\d/.test(key)) count++
          return Reflect.get(target, key, receiver)
        },
      })
      const draft: TokenizedText = {
        text,
        ids: Int32Array.from({ length: n }, (_, i) => i % 2),
        tile: Int32Array.from({ length: n + 1 }, (_, i) => 3 * i),
        cover: counted,
        tokenizer: 'by hand',
      }
      const ops = Array.from({ length: n / 2 }, (_, i): EditOp => {
        const range: Range = [6 * i + 3, 6 * i + 5]
        return { op: 'replace', draft: range, final: range }
      })
      labelTokens(ops, draft, { ...draft, text: text.replaceAll('ab', 'xy') })
      return count
    }
    const [few, many] = [looks(3000), looks(30_000)]
    expect(many / few).toBeLessThan(11)
    expect(many).toBeLessThan(20 * 2 * 30_000)
  })
})
