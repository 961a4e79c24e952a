import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseExactly } from './exact-json.js'

it.each([
  ['12345678901234567890', '12345678901234567890', 1],
  ['9007199254740991', 9007199254740991, 0],
  ['9007199254740993', '9007199254740993', 1],
  ['-9007199254740993', '-9007199254740993', 1],
  ['1e400', '1e400', 1],
  ['-1E+400', '-1E+400', 1],
  ['1e-400', 0, 0],
  ['0.30000000000000004', 0.1 + 0.2, 0],
  ['"12345678901234567890"', '12345678901234567890', 0],
  ['{"a\\\\":["\\"",[12345678901234567890,7]],"1":"\\\\"}', { 'a\\': ['"', ['12345678901234567890', 7]], 1: '\\' }, 1],
])('%s', (text, value, asText) => {
  expect(parseExactly(text)).toEqual({ value, ...(asText > 0 && { asText }) })
})

it('everything else is as JSON.parse has it', () => {
  const string = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^["\\]*\d{16,20}["\\]*$/))
  const { tree } = fc.letrec(tie => ({
    leaf: fc.oneof(string, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.maxSafeInteger(), fc.boolean()),
    tree: fc.oneof({ maxDepth: 3 }, tie('leaf'), fc.array(tie('tree')), fc.dictionary(string, tie('tree'))),
  }))
  fc.assert(
    fc.property(tree, value => {
      const text = JSON.stringify(value)
      expect(parseExactly(text)).toEqual({ value: JSON.parse(text) })
    }),
  )
})

it('a text that is no JSON is the same error', () => {
  expect(() => parseExactly('{"a":12345678901234567890')).toThrow(SyntaxError)
})
