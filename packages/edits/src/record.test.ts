import { describe, expect, it } from 'vitest'
import { contentId } from './identity.js'
import { makeEdit, parseEdit } from './record.js'

const by = { kind: 'person', name: 'Ann' } as const
const at = '2026-11-21T10:00:00Z'
const make = (over: Partial<Parameters<typeof makeEdit>[0]> = {}) =>
  makeEdit({ prompt: 'Q', draft: 'I like dogs.', final: 'I like mice.', by, at, ...over })

describe('makeEdit', () => {
  it('finds the operations and gives a record that reads back', () => {
    const { edit, repaired } = make({ reasons: ['taste'], seconds: 3 })
    expect(edit.ops).toEqual([{ op: 'replace', draft: [7, 11], final: [7, 11] }])
    expect(repaired).toBe(0)
    expect(parseEdit(JSON.parse(JSON.stringify(edit)))).toEqual(edit)
  })

  it('makes texts well-formed and counts what it mended', () => {
    const { edit, repaired } = make({ draft: 'a\ud800b\udc00', prompt: [{ role: 'user', content: '\udfff' }] })
    expect(edit.draft).toBe('a\ufffdb\ufffd')
    expect(edit.prompt).toEqual([{ role: 'user', content: '\ufffd' }])
    expect(repaired).toBe(3)
  })

  it('gives one content one id, whenever it was made', () => {
    expect(make().edit.id).toBe(make({ at: '2020-01-01T00:00:00Z', seconds: 9 }).edit.id)
    const ids = [make(), make({ final: 'I like rats.' }), make({ prompt: 'R' }), make({ by: { ...by, name: 'Bob' } })]
    expect(new Set(ids.map(made => made.edit.id)).size).toBe(4)
    expect(make({ id: 'mine' }).edit.id).toBe('mine')
  })

  it('names the field that is no text', () => {
    expect(() => make({ final: undefined as never })).toThrow(
      'field final: invalid input: expected string, received undefined',
    )
    expect(() => make({ draft: 5 as never })).toThrow('field draft: invalid input: expected string, received number')
    expect(() => make({ prompt: 5 as never })).toThrow('field prompt')
    expect(() => make({ prompt: [{ role: 'user' }] as never })).toThrow('field prompt')
  })
})

describe('parseEdit', () => {
  const { edit } = make()
  it.each([
    [
      'a missing field',
      { ...edit, draft: undefined },
      'field draft: invalid input: expected string, received undefined',
    ],
    ['a wrong kind', { ...edit, by: { kind: 'cat', name: 'x' } }, 'field by.kind: invalid option'],
    ['a wrong date', { ...edit, at: 'yesterday' }, 'field at: invalid ISO datetime'],
    ['a wrong range', { ...edit, ops: [{ op: 'insert', draft: [0, 0.5], final: [0, 1] }] }, 'field ops[0].draft[1]: '],
    ['a lone surrogate', { ...edit, final: '\ud800' }, 'field final: holds a lone surrogate'],
    ['operations that do not fit', { ...edit, ops: [] }, undefined],
    ['operations of another kind', { ...edit, ops: [{ ...edit.ops[0]!, op: 'delete' }] }, 'field ops[0] (delete,'],
    ['no record', 7, 'invalid input: expected object, received number'],
  ])('%s', (_, value, expected) => {
    const message = expected ?? 'field ops: replayed on the draft they differ from the final text at character 7'
    expect(() => parseEdit(value, 'edits.jsonl:4')).toThrow(`edits.jsonl:4: ${message}`)
  })
})

it('content ids spread', () => {
  const ids = new Set(Array.from({ length: 20_000 }, (_, i) => contentId(`edit ${i}`)))
  expect(ids.size).toBe(20_000)
  expect([...ids].every(id => /^[0-9a-f]{32}$/.test(id))).toBe(true)
  // One changed bit in the text changes about half of the 128: far from 20 in the worst of many.
  let fewest = 128
  for (let i = 0; i < 500; i++) {
    const [a, b] = [contentId(`text ${i} a`), contentId(`text ${i} b`)].map(id => BigInt(`0x${id}`)) as [bigint, bigint]
    fewest = Math.min(fewest, (a ^ b).toString(2).replaceAll('0', '').length)
  }
  expect(fewest).toBeGreaterThan(30)
  expect(contentId('ab', 'c')).not.toBe(contentId('a', 'bc'))
})
