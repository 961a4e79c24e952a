import { diffArrays } from 'diff'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Block } from './align.js'
import { shortestEdit } from './shortest-edit.js'

const whole = (a: readonly number[], b: readonly number[]): Block => [0, a.length, 0, b.length]

it('deletes and inserts, by hand', () => {
  expect(shortestEdit([1, 2, 3], [1, 9, 3], [0, 3, 0, 3], 9)).toEqual([
    [1, 2, 1, 1],
    [2, 2, 1, 2],
  ])
  expect(shortestEdit([1], [1], [0, 1, 0, 1], 9)).toEqual([])
  expect(shortestEdit([], [5], [0, 0, 0, 1], 9)).toEqual([[0, 0, 0, 1]])
})

it('looks only between the bounds it is given', () => {
  expect(shortestEdit([7, 1, 2, 7], [8, 1, 8], [1, 3, 1, 2], 9)).toEqual([[2, 3, 2, 2]])
})

it('gives up where more edits are needed than it may search for', () => {
  expect(shortestEdit([1, 2, 3], [4, 5, 6], [0, 3, 0, 3], 5)).toBeUndefined()
  expect(shortestEdit([1, 2, 3], [4, 5, 6], [0, 3, 0, 3], 6)).toHaveLength(6)
})

/** The same by the `diff` package, in single steps. */
function reference(a: readonly number[], b: readonly number[], maxEditLength: number): Block[] | undefined {
  const changes = diffArrays(a.slice(), b.slice(), { maxEditLength })
  if (!changes) return undefined
  let [i, j] = [0, 0]
  return changes.flatMap(({ added, removed, count }) => {
    const steps = Array.from(
      { length: added || removed ? count : 0 },
      (_, n): Block => (added ? [i, i, j + n, j + n + 1] : [i + n, i + n + 1, j, j]),
    )
    if (!added) i += count
    if (!removed) j += count
    return steps
  })
}

it('chooses among equally short scripts as the diff package does', () => {
  const items = fc.array(fc.nat(4), { maxLength: 40 })
  fc.assert(
    fc.property(items, items, fc.integer({ min: 1, max: 80 }), (a, b, most) => {
      expect(shortestEdit(a, b, whole(a, b), most)).toEqual(reference(a, b, most))
    }),
    { numRuns: 3000 },
  )
})

it('chooses so in long sequences too', () => {
  const edited = fc.tuple(
    fc.array(fc.nat(30), { minLength: 100, maxLength: 400 }),
    fc.array(fc.tuple(fc.nat(400), fc.nat(2), fc.nat(30)), { maxLength: 60 }),
  )
  fc.assert(
    fc.property(edited, ([a, changes]) => {
      const b = a.slice()
      for (const [at, what, item] of changes) b.splice(at % (b.length + 1), what, ...(what === 1 ? [] : [item]))
      expect(shortestEdit(a, b, whole(a, b), 200)).toEqual(reference(a, b, 200))
    }),
    { numRuns: 100 },
  )
})
