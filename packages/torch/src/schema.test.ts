import { expect, test } from 'vitest'
import { parseSchema } from './schema.js'

test('reads names, kinds, defaults and what is written', () => {
  const s = parseSchema('aten::add_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)')
  expect([s.name, s.overload]).toEqual(['aten::add_', 'Tensor'])
  expect(s.arguments).toEqual([
    { name: 'self', kind: 'tensor', optional: false, length: 0, fallback: null, keywordOnly: false, written: true },
    { name: 'other', kind: 'tensor', optional: false, length: 0, fallback: null, keywordOnly: false, written: false },
    { name: 'alpha', kind: 'scalar', optional: false, length: 0, fallback: '1', keywordOnly: true, written: false },
  ])
  expect(s.results).toEqual([{ name: null, kind: 'tensor' }])
})

test('reads lists, optional lists and defaults with commas', () => {
  const s = parseSchema(
    'aten::f(Tensor?[] indices, int[1]? dim=[-2,-1], SymInt[] size, str s="a, b", bool[2] m, Scalar?[] n) -> (Tensor values, Tensor[])',
  )
  expect(s.arguments.map(a => [a.name, a.kind, a.optional, a.length, a.fallback])).toEqual([
    ['indices', 'optional tensors', false, 0, null],
    ['dim', 'ints', true, 1, '[-2,-1]'],
    ['size', 'ints', false, 0, null],
    ['s', 'string', false, 0, '"a, b"'],
    ['m', 'bools', false, 2, null],
    ['n', 'scalars', false, 0, null],
  ])
  expect(s.results).toEqual([
    { name: 'values', kind: 'tensor' },
    { name: null, kind: 'tensors' },
  ])
})

test('knows dtypes, devices, and what has no JavaScript form', () => {
  const s = parseSchema(
    'aten::g(ScalarType? dtype=None, Layout? layout=None, Device? device=None, Generator? generator=None) -> ()',
  )
  expect(s.arguments.map(a => a.kind)).toEqual(['dtype', 'unsupported', 'device', 'unsupported'])
  expect(s.results).toEqual([])
  expect(() => parseSchema('nonsense')).toThrow('not an operator schema: nonsense')
})

test('splits alias annotations off', () => {
  const s = parseSchema('aten::view(Tensor(a -> *) self, Tensor(b!)[] list) -> Tensor(a)[]')
  expect(s.arguments.map(a => [a.kind, a.written])).toEqual([
    ['tensor', false],
    ['tensors', true],
  ])
  expect(s.results[0]!.kind).toBe('tensors')
})
