import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { layOutBytes, layOutOffsets } from './layout.js'

const utf8 = (text: string) => new TextEncoder().encode(text)

describe('layOutBytes', () => {
  it('gives a character cut across tokens to the cover of each, and to the tile of the last', () => {
    // "a😀é" = 61 | F0 9F 98 80 | C3 A9, cut after 61 F0, 9F 98, 80 C3.
    const bytes = utf8('a😀é')
    const layout = layOutBytes([bytes.slice(0, 2), bytes.slice(2, 4), bytes.slice(4, 6), bytes.slice(6)])
    expect(layout.text).toBe('a😀é')
    expect(layout.cover).toEqual([
      [0, 3],
      [1, 3],
      [1, 4],
      [3, 4],
    ])
    expect([...layout.tile]).toEqual([0, 1, 1, 3, 4])
  })

  it('puts tokens without bytes at their place', () => {
    const layout = layOutBytes([utf8('ab'), utf8(''), utf8('c'), utf8('')])
    expect(layout.cover).toEqual([
      [0, 2],
      [2, 2],
      [2, 3],
      [3, 3],
    ])
    expect([...layout.tile]).toEqual([0, 2, 2, 3, 3])
  })

  it('nothing', () => {
    expect(layOutBytes([])).toEqual({ text: '', cover: [], tile: Int32Array.of(0) })
  })

  it('agrees with TextDecoder on what is no UTF-8: tiles joined give its text back', () => {
    const lead = fc.constantFrom(
      0x41,
      0x80,
      0xbf,
      0xc0,
      0xc3,
      0xe0,
      0xe2,
      0xed,
      0xf0,
      0xf1,
      0xf4,
      0xf5,
      0x9f,
      0xa0,
      0x90,
      0x8f,
    )
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 8 }),
      fc.array(lead, { maxLength: 8 }).map(a => Uint8Array.from(a)),
    )
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 6 }), pieces => {
        const { text, tile, cover } = layOutBytes(pieces)
        const whole = Uint8Array.from(pieces.flatMap(piece => [...piece]))
        expect(text).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(whole))
        expect(pieces.map((_, i) => text.slice(tile[i], tile[i + 1])).join('')).toBe(text)
        // Byte by byte: decoding a prefix cut between characters gives the characters before it.
        if (text.isWellFormed() && !text.includes('\ufffd')) {
          const characters = [...text]
          let at = 0
          pieces.forEach((piece, i) => {
            const touched = new Set<number>()
            for (let b = at; b < at + piece.length; b++) touched.add(characterAt(characters, b))
            at += piece.length
            expect(cover[i]![1] - cover[i]![0]).toBe([...touched].reduce((sum, c) => sum + characters[c]!.length, 0))
          })
        }
      }),
      { numRuns: 2000 },
    )
  })
})

/** The index of the character that holds a byte, counting the bytes of each. */
function characterAt(characters: readonly string[], byte: number): number {
  let at = 0
  return characters.findIndex(character => (at += utf8(character).length) > byte)
}

describe('layOutOffsets', () => {
  it('counts code points into UTF-16 units', () => {
    const layout = layOutOffsets('😀 b', [
      [0, 1],
      [1, 3],
    ])
    expect(layout.cover).toEqual([
      [0, 2],
      [2, 4],
    ])
    expect([...layout.tile]).toEqual([0, 2, 4])
  })

  it('gives a gap to the tile of the token that follows, at the end to the last', () => {
    const layout = layOutOffsets('  ab  cd ', [
      [2, 4],
      [6, 8],
    ])
    expect(layout.cover).toEqual([
      [2, 4],
      [6, 8],
    ])
    expect([...layout.tile]).toEqual([0, 4, 9])
  })

  it('gives an overlap to the last tile', () => {
    const layout = layOutOffsets('a😀', [
      [0, 2],
      [1, 2],
      [1, 2],
    ])
    expect(layout.cover).toEqual([
      [0, 3],
      [1, 3],
      [1, 3],
    ])
    expect([...layout.tile]).toEqual([0, 1, 1, 3])
  })
})
