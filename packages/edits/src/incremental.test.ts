import fc from 'fast-check'
import { expect, test } from 'vitest'
import { verifyOps } from './apply.js'
import { diffTexts } from './diff.js'
import { IncrementalDiff } from './incremental.js'
import { editedCharacters } from './operations.js'

const word = fc.constantFrom(
  'the',
  'cat',
  'sat',
  'on',
  'a',
  'mat',
  'colour',
  '10:30',
  'شکر',
  'नमस्ते',
  '天気',
  '🙂',
  '👩‍👩‍👧',
  'e\u0301t',
)
const glue = fc.constantFrom(' ', ' ', ' ', '\n', ', ', '. ', '')
const sentence = (maxLength: number) =>
  fc.array(fc.tuple(word, glue), { maxLength }).map(pairs => pairs.flat().join(''))
/** Replace `[at, at + remove)` (shares of the text) by `insert`. */
const keystroke = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat(30),
  insert: fc.oneof(fc.constantFrom('', 'x', ' ', 'the '), sentence(6)),
})

const press = (text: string, { at, remove, insert }: { at: number; remove: number; insert: string }) => {
  const start = Math.floor(at * text.length)
  return text.slice(0, start) + insert + text.slice(start + remove)
}

test('a keystroke far from the edits leaves their operations as they are', () => {
  const filler = 'one two three four five six seven eight nine ten '.repeat(20)
  const draft = `The red cat. ${filler}The end.`
  const diff = new IncrementalDiff(draft)
  diff.update(draft.replace('red', 'blue'))
  expect(diff.ops).toEqual([{ op: 'replace', draft: [4, 7], final: [4, 8] }])
  const first = diff.ops[0]
  diff.update(diff.final.replace('The end.', 'The very end.'))
  expect(diff.ops[0]).toBe(first)
  const at = draft.indexOf(' end.')
  expect(diff.ops[1]).toEqual({ op: 'insert', draft: [at, at], final: [at + 1, at + 6] })
})

test('what is typed again is no edit', () => {
  const draft = 'alpha beta gamma delta. '.repeat(40)
  const diff = new IncrementalDiff(draft)
  diff.update(draft.slice(0, 300) + draft.slice(420))
  expect(editedCharacters(diff.ops)).toBe(120)
  expect(diff.update(draft)).toEqual([])
})

test('after any keystrokes the operations replay to the text, and settled they are those of diffTexts', () => {
  fc.assert(
    fc.property(sentence(120), fc.array(keystroke, { minLength: 1, maxLength: 12 }), (draft, keystrokes) => {
      const diff = new IncrementalDiff(draft)
      for (const key of keystrokes) {
        const final = press(diff.final, key)
        diff.update(final)
        expect(diff.final).toBe(final)
        if (final.isWellFormed()) verifyOps(draft, final, diff.ops)
      }
      if (diff.final.isWellFormed()) expect(diff.settle()).toEqual(diffTexts(draft, diff.final))
    }),
    { numRuns: 300 },
  )
})

test('it edits about as many characters as the full comparison', () => {
  let [incremental, full] = [0, 0]
  fc.assert(
    fc.property(sentence(200), fc.array(keystroke, { minLength: 1, maxLength: 8 }), (draft, keystrokes) => {
      const diff = new IncrementalDiff(draft)
      for (const key of keystrokes) diff.update(press(diff.final, key).toWellFormed())
      incremental += editedCharacters(diff.ops)
      full += editedCharacters(diffTexts(draft, diff.final))
    }),
    { numRuns: 200, seed: 7 },
  )
  expect(incremental / full).toBeLessThan(1.02)
})

test('a text without a word to cut at is compared whole', () => {
  const draft = 'x'.repeat(500)
  const diff = new IncrementalDiff(draft)
  const final = `${'x'.repeat(250)}y${'x'.repeat(250)}`
  diff.update(final)
  verifyOps(draft, final, diff.ops)
})
