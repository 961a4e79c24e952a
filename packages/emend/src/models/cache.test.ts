import { devices, memory, noGrad, scope, type Tensor, tensor, torch } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { RowCache } from './cache.js'

const config = { layers: 1, kvHeads: 1, headDim: 1 }

describe.each(devices())('the cache of keys and values on %s', device => {
  const make = () => new RowCache(config, { device, dtype: 'float32' })
  /** [B, 1, L, 1] of the given rows. */
  const place = (rows: readonly (readonly number[])[]) =>
    tensor(rows.flat(), { shape: [rows.length, 1, rows[0]!.length, 1], device })
  const rowsOf = (x: Tensor) => (x.squeeze(3).squeeze(1).tolist() as number[][]).map(row => row)

  /** What each row reads after appending one column, from where it begins; values are the negative keys. */
  function step(cache: RowCache, column: readonly number[]): number[][] {
    cache.reserve(3)
    const k = place(column.map(x => [x]))
    const { first } = cache
    const [keys, values] = cache.append(0, k, k.neg())
    cache.end++
    expect(values.add(keys).abs().max().item()).toBe(0)
    return rowsOf(keys).map((row, i) => row.slice(cache.starts[i]! - first))
  }

  function join(cache: RowCache, prompts: readonly (readonly number[])[], of = [...prompts.keys()]): void {
    const longest = Math.max(...prompts.map(prompt => prompt.length))
    const k = place(prompts.map(prompt => [...prompt, ...new Array<number>(longest - prompt.length).fill(99)]))
    const lengths = prompts.map(prompt => prompt.length)
    const [keys] = cache.add(lengths, of, 4).append(0, k, k.neg())
    expect(rowsOf(keys)).toEqual(rowsOf(k))
  }

  const within = (fn: () => void) => noGrad(() => scope(fn))

  it('a row that leaves holds on to no buffer, called outside of a scope too', () => {
    const before = memory().tensors
    const cache = make()
    within(() => join(cache, [[11, 12], [21, 22, 23], [31]]))
    const held = memory().tensors
    cache.remove(0)
    expect(memory().tensors).toBe(held)
    within(() =>
      expect(step(cache, [32, 24])).toEqual([
        [31, 32],
        [21, 22, 23, 24],
      ]),
    )
    cache.dispose()
    expect(memory().tensors).toBe(before)
  })

  it('prompts of several lengths end in one column; rows join with longer and shorter ones', () =>
    within(() => {
      const cache = make()
      join(cache, [
        [11, 12],
        [21, 22, 23],
      ])
      expect(step(cache, [13, 24])).toEqual([
        [11, 12, 13],
        [21, 22, 23, 24],
      ])
      join(cache, [[31]])
      expect(step(cache, [14, 25, 32])).toEqual([
        [11, 12, 13, 14],
        [21, 22, 23, 24, 25],
        [31, 32],
      ])
      join(cache, [[41, 42, 43, 44, 45, 46, 47, 48]])
      expect(step(cache, [15, 26, 33, 49])).toEqual([
        [11, 12, 13, 14, 15],
        [21, 22, 23, 24, 25, 26],
        [31, 32, 33],
        [41, 42, 43, 44, 45, 46, 47, 48, 49],
      ])
      cache.dispose()
    }))

  it('several rows begin with one prompt', () =>
    within(() => {
      const cache = make()
      join(cache, [[11, 12], [21]], [0, 0, 1, 0])
      expect(step(cache, [13, 14, 22, 15])).toEqual([
        [11, 12, 13],
        [11, 12, 14],
        [21, 22],
        [11, 12, 15],
      ])
      cache.dispose()
    }))

  it('the last row takes the place of one that leaves; an emptied cache is used again', () =>
    within(() => {
      const cache = make()
      join(cache, [[11], [21, 22], [31, 32, 33]])
      cache.remove(0)
      expect(step(cache, [34, 23])).toEqual([
        [31, 32, 33, 34],
        [21, 22, 23],
      ])
      cache.remove(1)
      cache.remove(0)
      expect([cache.starts.length, cache.span]).toEqual([0, 0])
      join(cache, [[51, 52]])
      expect(step(cache, [53])).toEqual([[51, 52, 53]])
      cache.dispose()
    }))

  it('holds no more columns than it may, and while they move one buffer twice', () =>
    within(() => {
      const wide = { layers: 4, kvHeads: 1, headDim: 8 }
      const cache = new RowCache(wide, { device, dtype: 'float32', maxTokens: 6144 })
      const bytes = (tokens: number) => 2 * wide.layers * wide.headDim * 4 * tokens
      const before = memory()
      const add = (rows: number, prompt: number, ahead: number) => {
        const { append } = cache.add(new Array(rows).fill(prompt), [...new Array(rows).keys()], ahead)
        scope(() => {
          const k = torch.zeros([rows, 1, prompt, 8], { device })
          for (let layer = 0; layer < wide.layers; layer++) append(layer, k, k)
        })
      }
      // Twelve rows of 100 and 412 more: eight, and four when those are in their middle.
      add(8, 100, 412)
      let most = 0
      for (let t = 0; t < 412; t++) {
        if (t === 200) add(4, 100, 412)
        cache.reserve(412 - t)
        cache.end++
        if (device === 'cpu') most = Math.max(most, memory().bytes - before.bytes)
      }
      // Columns are multiples of 32.
      expect(most).toBeLessThan(1.1 * bytes(6144))
      // Two buffers a layer, and the handles of an index of a prompt in each `add`.
      expect(memory().tensors - before.tensors).toBe(2 * wide.layers + 2)
      cache.dispose()
    }))

  it('moves what is read to the front when the buffers end, and frees them', () => {
    const before = memory().tensors
    within(() => {
      const cache = make()
      join(cache, [[0], [100, 101, 102]])
      const expected = [[0], [100, 101, 102]]
      for (let t = 1; t < 700; t++) {
        if (t === 300) {
          // The row that began first leaves: its columns can be used again.
          cache.remove(1)
          expected.pop()
        }
        const column = expected.map((_, i) => 1000 * i + t)
        for (const [i, row] of expected.entries()) row.push(column[i]!)
        expect(step(cache, column)).toEqual(expected)
      }
      cache.dispose()
    })
    expect(memory().tensors).toBe(before)
  })
})
