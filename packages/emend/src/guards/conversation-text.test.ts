import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { segments, visible } from './conversation-text.js'

describe('visible', () => {
  it('shows what is hidden and leaves what is not', () => {
    expect(visible('p\u200ba\u00add\ufeff!')).toBe('pad!')
    expect(visible('ﬁ ａ 𝐛')).toBe('fi a b')
    expect(visible(String.fromCodePoint(0xe0048, 0xe0069, 0xe007f))).toBe('Hi')
    expect(visible('Привет, 世界! naïve\n\tx')).toBe('Привет, 世界! naïve\n\tx')
    expect(visible('\ud800')).toBe('\ufffd')
  })
})

describe('segments', () => {
  it('cuts at white space, and repeats the end of a part', () => {
    expect(segments('aaaaaaaa bbbbbbb ccc', 10, 2)).toEqual(['aaaaaaaa ', 'a bbbbbbb ', 'b ccc'])
    // No white space in the last quarter.
    expect(segments('aaa bbbbbbbbbb', 10, 2)).toEqual(['aaa bbbbbb', 'bbbbbb'])
    expect(segments('short', 8)).toEqual(['short'])
    expect(segments('', 8)).toEqual([''])
  })

  it('loses nothing, and never exceeds its size', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n'), maxLength: 400 })
    fc.assert(
      fc.property(text, fc.integer({ min: 10, max: 60 }), (whole, size) => {
        const parts = segments(whole, size)
        expect(parts.every(part => part.length <= size)).toBe(true)
        const overlap = Math.floor(size / 10)
        expect(parts.map((part, i) => (i === 0 ? part : part.slice(overlap))).join('')).toBe(whole)
        for (const [i, part] of parts.slice(1).entries()) expect(parts[i]!.endsWith(part.slice(0, overlap))).toBe(true)
      }),
    )
  })
})
