import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TextStream, type TextStreamOptions } from './text-stream.js'

/** A vocabulary of the 256 bytes, a special token 256 and two longer tokens; with `prefixed` the first space is dropped. */
const tokens = [
  ...Array.from({ length: 256 }, (_, byte) => [byte]),
  [...Buffer.from('<eos>')],
  [0x20, 0x61],
  [0xf0, 0x9f],
]
const vocabulary = (prefixed = false) => ({
  tokenBytes: (id: number) => Uint8Array.from(tokens[id]!),
  isSpecial: (id: number) => id === 256,
  decode: (ids: ArrayLike<number>) =>
    Buffer.from(Array.from(ids).flatMap(id => (id === 256 ? [] : tokens[id]!)))
      .toString()
      .replace(prefixed ? /^ / : /^$/, ''),
})

const bytes = (text: string) => [...Buffer.from(text)]

/** The pieces, empty ones included, what `end` gives last. */
function pieces(ids: readonly number[], options: TextStreamOptions = {}, prefixed = false): string[] {
  const stream = new TextStream(vocabulary(prefixed), options)
  return [...ids.map(id => stream.push(id)), stream.end()]
}

describe('text as its tokens come', () => {
  it('holds a character back until its last byte: 👍 is F0 9F 91 8D', () => {
    expect(pieces([0x61, 258, 0x91, 0x8d, 0x62])).toEqual(['a', '', '', '👍', 'b', ''])
  })

  it('gives an incomplete character as U+FFFD, in the middle at once and at the end when no more comes', () => {
    expect(pieces([258, 0x61])).toEqual(['', '\uFFFDa', ''])
    expect(pieces([0x61, 258])).toEqual(['a', '', '\uFFFD'])
  })

  it('skips special tokens or writes them out, and keeps a byte order mark', () => {
    expect(pieces([0x61, 256]).join('')).toBe('a')
    expect(pieces([0x61, 256], { specials: true }).join('')).toBe('a<eos>')
    expect(pieces([0xef, 0xbb, 0xbf, 0x61]).join('')).toBe('\uFEFFa')
  })

  it('drops the first space where the tokenizer does, and no other', () => {
    expect(pieces([256, 257, 257], {}, true).join('')).toBe('a a')
    expect(pieces([257, 257]).join('')).toBe(' a a')
  })

  it('holds back what may begin a stop string, and ends before it', () => {
    expect(pieces(bytes('ab\n\nUser: x'), { stop: ['\nUser:', 'END'] }).join('')).toBe('ab\n')
    expect(pieces(bytes('aEN'), { stop: ['END'] })).toEqual(['a', '', '', 'EN'])
    expect(pieces(bytes('aENb'), { stop: ['END'] })).toEqual(['a', '', '', 'ENb', ''])
    expect(pieces(bytes('EEND.'), { stop: ['END'] })).toEqual(['', 'E', '', '', '', ''])
  })

  it('of two stop strings takes the one that is complete first, of two that end together the longer', () => {
    expect(pieces(bytes('abcX'), { stop: ['abcX', 'c'] }).join('')).toBe('ab')
    expect(pieces(bytes('abc'), { stop: ['bc', 'c'] }).join('')).toBe('a')
  })

  it('says that it stopped, and where the next token begins', () => {
    const stream = new TextStream(vocabulary(), { stop: ['xy'] })
    const positions = bytes('aéxz').map(id => {
      stream.push(id)
      return stream.position
    })
    expect(positions).toEqual([1, 1, 2, 3, 4])
    expect(stream.stopped).toBe(false)
    for (const id of bytes('xyz')) stream.push(id)
    expect([stream.stopped, stream.end(), stream.position]).toEqual([true, '', 4])
  })

  it('joined, the pieces are the text however it is cut, up to the first complete stop string', () => {
    const letter = fc.constantFrom('a', 'b', ' ', 'é', '漢', '👍🏽', '\n')
    const text = fc.array(letter, { maxLength: 30 }).map(parts => parts.join(''))
    const stop = fc.array(
      fc.array(letter, { minLength: 1, maxLength: 3 }).map(parts => parts.join('')),
      { maxLength: 3 },
    )
    fc.assert(
      fc.property(text, stop, (text, stop) => {
        let expected = text
        for (let to = 0; to <= text.length; to++) {
          const ended = stop.filter(each => text.slice(0, to).endsWith(each)).map(each => each.length)
          if (ended.length === 0) continue
          expected = text.slice(0, to - Math.max(...ended))
          break
        }
        const given = pieces(bytes(text), { stop })
        expect(given.join('')).toBe(expected)
        for (const piece of given) expect(piece.isWellFormed()).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('any bytes: the pieces joined are the bytes decoded at once', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 255 })), ids => {
        expect(pieces(ids).join('')).toBe(Buffer.from(ids).toString())
      }),
      { numRuns: 300 },
    )
  })
})
