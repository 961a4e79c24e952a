import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bucketedBatches, microBatches, permutation } from './batches.js'
import { promptsOfStep } from './ppo.js'

const sorted = (xs: Iterable<number>) => [...xs].sort((a, b) => a - b)
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i)

describe('batches', () => {
  it('a permutation holds every number once and depends on its key', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 2 ** 31 }), (n, seed) => {
        expect(sorted(permutation(n, seed))).toEqual(upTo(n))
        expect(permutation(n, seed)).toEqual(permutation(n, seed))
      }),
    )
    expect(permutation(50, 1)).not.toEqual(permutation(50, 2))
  })

  it('every sample is in exactly one batch, and no batch is longer than asked', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 1, max: 40 }),
        (lengths, size) => {
          const batches = bucketedBatches(lengths, size, 7)
          expect(sorted(batches.flatMap(batch => [...batch]))).toEqual(upTo(lengths.length))
          expect(batches.every(batch => batch.length <= size)).toBe(true)
          expect(batches.length).toBe(Math.ceil(lengths.length / size))
        },
      ),
    )
  })

  it('micro-batches keep within the budget unless one sample alone exceeds it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 400 }),
        (lengths, tokens) => {
          const parts = microBatches(upTo(lengths.length), i => lengths[i] as number, tokens)
          expect(sorted(parts.flat())).toEqual(upTo(lengths.length))
          for (const part of parts) {
            const longest = Math.max(...part.map(i => lengths[i] as number))
            expect(part.length === 1 || longest * part.length <= tokens).toBe(true)
          }
        },
      ),
    )
  })

  it('steps of rollouts walk through every prompt once an epoch', () => {
    const seen = [0, 1, 2, 3, 4].flatMap(step => promptsOfStep(10, 4, step, 3))
    expect(sorted(seen.slice(0, 10))).toEqual(upTo(10))
    expect(sorted(seen.slice(10))).toEqual(upTo(10))
  })
})
