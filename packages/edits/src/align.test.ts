import fc from 'fast-check'
import { expect, it } from 'vitest'
import { align, type Block } from './align.js'

const numbers = (text: string) => [...text].map(letter => letter.charCodeAt(0))
const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd'), maxLength: 24 }).map(numbers)

/** Length of the longest common subsequence by the textbook table. */
function longestCommon(a: readonly number[], b: readonly number[]): number {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0))
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++)
      table[i]![j] = a[i - 1] === b[j - 1] ? table[i - 1]![j - 1]! + 1 : Math.max(table[i - 1]![j]!, table[i]![j - 1]!)
  return table[a.length]![b.length]!
}

/** Fails unless everything between the blocks is equal; gives the number of items in blocks. */
function checked(a: readonly number[], b: readonly number[], blocks: readonly Block[]): number {
  let [i, j, changed] = [0, 0, 0]
  for (const [a0, a1, b0, b1] of [...blocks, [a.length, a.length, b.length, b.length] as Block]) {
    expect(a.slice(i, a0)).toEqual(b.slice(j, b0))
    changed += a1 - a0 + b1 - b0
    i = a1
    j = b1
  }
  return changed
}

it('aligns by hand', () => {
  expect(align(numbers('abcd'), numbers('axcd'))).toEqual([[1, 2, 1, 2]])
  expect(align(numbers('abc'), numbers('abc'))).toEqual([])
  expect(align(numbers(''), numbers('ab'))).toEqual([[0, 0, 0, 2]])
  expect(align(numbers('xaby'), numbers('ab'))).toEqual([
    [0, 1, 0, 0],
    [3, 4, 2, 2],
  ])
})

it('keeps a longest common subsequence within its limits', () => {
  fc.assert(
    fc.property(letters, letters, (a, b) => {
      expect(checked(a, b, align(a, b))).toBe(a.length + b.length - 2 * longestCommon(a, b))
    }),
    { numRuns: 1000 },
  )
})

it('beyond its limits cuts at items unique on both sides', () => {
  // 100 changed items around each of two anchors: more than the 64 edits that any part may search for.
  const block = (from: number) => Array.from({ length: 100 }, (_, i) => from + i)
  const a = [...block(1000), 1, ...block(2000), 2, ...block(3000)]
  const b = [...block(4000), 1, ...block(5000), 2, ...block(6000)]
  expect(align(a, b, { maxEdits: 64 })).toEqual([
    [0, 100, 0, 100],
    [101, 201, 101, 201],
    [202, 302, 202, 302],
  ])
})
