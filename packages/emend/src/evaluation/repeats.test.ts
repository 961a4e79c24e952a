import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { repeatedSentences, repeats } from './repeats.js'

const ids = (letters: string) => Int32Array.from(letters, c => c.codePointAt(0)!)

describe('repeated phrases', () => {
  it.each([
    ['abcdefgh', 0],
    ['', 0],
    ['abc', 0],
    ['abcabc', 0], // three tokens are no phrase
    ['abcdabcd', 1],
    ['abcdabcdabcd', 2], // said three times
    ['abcdabcdabcdabcd', 3],
    ['abcdefghXabcdefgh', 1], // eight tokens, one maximal repeat
    ['abcdXabcdefghYabcdefgh', 2], // abcd, then abcdefgh whole (not abcd and efgh)
    ['aaaaaaa', 0], // the first four, then three: no second phrase of four
    ['aaaaaaaaaaaaaaaa', 3], // aaaa said four times
    ['abcdXbcdeYabcde', 1], // the last five hold abcd; its e is left over
    ['wxyzabcdwxyz1abcd', 2], // two different ones
  ])('%j → %i', (text, count) => {
    expect(repeats(ids(text))).toBe(count)
  })

  it('takes n as a setting', () => {
    expect(repeats(ids('abXab'), 2)).toBe(1)
    expect(repeats(ids('aaa'), 1)).toBe(2)
    expect(() => repeats([1], 0)).toThrow('n must be an integer of at least 1, got 0')
  })

  it('counts k − 1 for a phrase of different tokens said k times, with or without something between', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 9 }), fc.integer({ min: 1, max: 8 }), fc.boolean(), (length, k, apart) => {
        const phrase = Array.from({ length }, (_, i) => i)
        const response = Array.from({ length: k }, (_, i) => (apart ? [...phrase, 1000 + i] : phrase)).flat()
        expect(repeats(response)).toBe(k - 1)
      }),
    )
  })

  it('does not depend on which ids stand for the tokens, and different tokens never repeat', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 60 }), xs => {
        const count = repeats(xs)
        expect(repeats(xs.map(x => 7 - 3 * x))).toBe(count)
        expect(count).toBeLessThanOrEqual(Math.max(0, Math.floor(xs.length / 4) - 1))
        expect(repeats(xs.map((_, i) => i))).toBe(0)
      }),
    )
  })

  it('reads ten thousand tokens of one loop without getting slow', () => {
    const started = performance.now()
    expect(repeats(new Int32Array(10_000))).toBe(2499)
    expect(performance.now() - started).toBeLessThan(5_000)
  })
})

describe('repeated sentences', () => {
  it.each([
    ['Breakfast is at 8. Checkout is at 11.', 0],
    ['Breakfast is at 8. Checkout is at 11. Breakfast is at 8.', 1],
    ['Yes! yes? YES...', 2],
    ['Breakfast is at 8.\nbreakfast  is at 8', 1],
    ['He said "go." He said "go."', 1],
    ['早餐八点。早餐八点！', 1],
    ['... !!! ???', 0],
    ['', 0],
  ])('%j → %i', (text, count) => {
    expect(repeatedSentences(text)).toBe(count)
  })
})
