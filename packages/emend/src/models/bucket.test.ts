import { memory } from '@emend/torch'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lengthBatches, mapInBatches } from './bucket.js'
import { responseRows } from './sequences.js'

describe('lengthBatches', () => {
  it('fills batches up to the padded tokens, shortest first', () => {
    // sorted 1, 2, 2, 4, 9: 3·2 = 6 fits 8, 4·4 does not; 4 alone; 9 alone though it is too long
    expect(lengthBatches([4, 2, 9, 1, 2], 8)).toEqual([[3, 1, 4], [0], [2]])
  })

  it('holds every item once and keeps the budget', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 })), fc.integer({ min: 1, max: 200 }), (lengths, budget) => {
        const batches = lengthBatches(lengths, budget)
        expect(batches.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i))
        for (const batch of batches) {
          const padded = batch.length * Math.max(...batch.map(i => lengths[i]!))
          if (batch.length > 1) expect(padded).toBeLessThanOrEqual(budget)
        }
      }),
    )
  })
})

describe('mapInBatches', () => {
  it('gives results in the order of the arguments and frees its tensors', () => {
    const prompts = [[7, 7, 7], [1], [5, 5]].map(x => Int32Array.from(x))
    const responses = [[10, 11], [20, 21, 22, 23], [30]].map(x => Int32Array.from(x))
    const before = memory().tensors
    const batches: number[] = []
    const got = mapInBatches(prompts, responses, 10, (batch, rows) => {
      batches.push(rows.length)
      return responseRows(batch.ids.gather(1, batch.index).to('float32'), batch.lengths)
    })
    expect(got.map(row => [...row])).toEqual([[10, 11], [20, 21, 22, 23], [30]])
    expect(batches).toEqual([2, 1])
    expect(memory().tensors).toBe(before)
  })
})
