import { expect, it } from 'vitest'
import { insertions, replay, verifyOps } from './apply.js'
import type { EditOp } from './operations.js'
import { segments } from './segments.js'

const draft = 'I like dogs.'
const final = 'We like dogs a lot.'
const ops: EditOp[] = [
  { op: 'replace', draft: [0, 1], final: [0, 2] },
  { op: 'insert', draft: [11, 11], final: [12, 18] },
]

it('red lines, by hand', () => {
  expect(segments(draft, final, ops)).toEqual([
    { text: 'I', kind: 'deleted' },
    { text: 'We', kind: 'inserted' },
    { text: ' like dogs', kind: 'kept' },
    { text: ' a lot', kind: 'inserted' },
    { text: '.', kind: 'kept' },
  ])
  expect(segments('', '', [])).toEqual([])
})

it('replays on the draft', () => {
  expect(insertions(ops, final)).toEqual(['We', ' a lot'])
  expect(replay(draft, ops, ['We', ' a lot'])).toBe(final)
  expect(replay(draft, [], [])).toBe(draft)
})

it('refuses operations out of order or out of the text', () => {
  expect(() => replay(draft, [...ops].reverse(), ['x', 'y'])).toThrow('ops[1]: draft range [0, 1) must lie in order')
  expect(() => replay('short', ops, ['x', 'y'])).toThrow('ops[1]: draft range [11, 11) must lie in order within [1, 5)')
})

it('says where operations give another text', () => {
  expect(() => verifyOps(draft, final.replace('like', 'LIKE'), ops)).toThrow(
    'ops: replayed on the draft they differ from the final text at character 3',
  )
})
