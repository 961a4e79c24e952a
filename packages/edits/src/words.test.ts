import fc from 'fast-check'
import { expect, it } from 'vitest'
import { cpuTime } from '../fixtures/cpu-time.js'
import { characters, isSeparator, words } from './words.js'

it.each([
  ["don't stop", ["don't", ' ', 'stop']],
  ['at 10:30, 12.50!', ['at', ' ', '10:30', ',', ' ', '12.50', '!']],
  ['end.Next', ['end', '.', 'Next']],
  ['a  b\n\nc\r\nd', ['a', '  ', 'b', '\n', '\n', 'c', '\r\n', 'd']],
  ['snake_case B2B', ['snake_case', ' ', 'B2B']],
  ['我喜欢 cafés', ['我', '喜', '欢', ' ', 'cafés']],
  ['cafe\u0301s', ['cafe\u0301s']],
  ['👨‍👩‍👧🇩🇪🇫🇷👍🏽', ['👨‍👩‍👧', '🇩🇪', '🇫🇷', '👍🏽']],
  ['שלום עולם', ['שלום', ' ', 'עולם']],
  ['', []],
])('%j', (text, expected) => {
  expect(words(text)).toEqual(expected)
})

it('joined, words and characters give any text back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      expect(words(text).join('') === text).toBe(true)
      expect(characters(text).join('') === text).toBe(true)
      expect(words(text).includes('')).toBe(false)
    }),
    { numRuns: 1000 },
  )
})

it('characters keep their marks', () => {
  expect(characters('e\u0301a😀')).toEqual(['e\u0301', 'a', '😀'])
})

it('separators are white space and punctuation', () => {
  expect([' ', ', ', '—', '', '\n', '。'].every(isSeparator)).toBe(true)
  expect(['a', '1', '😀', '+', 'a ', '我'].some(isSeparator)).toBe(false)
})

it.each([
  ['letters', 'a'.repeat(1e6)],
  ['apostrophes', "a'".repeat(5e5)],
  ['digits and points', '1.'.repeat(5e5)],
  ['joiners', '😀\u200d'.repeat(3e5)],
  ['marks', '\u0301'.repeat(1e6)],
  ['carriage returns', '\r'.repeat(1e6)],
])('a megabyte of %s is cut in linear time', (_, text) => {
  // A quadratic expression would take ten thousand times as long for a hundred times as much.
  const cut = (part: string) => [words(part), characters(part)]
  cut(text.slice(0, 1e5))
  expect(cpuTime(() => cut(text)) / cpuTime(() => cut(text.slice(0, 1e4)))).toBeLessThan(1000)
})
