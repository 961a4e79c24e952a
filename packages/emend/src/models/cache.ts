/** Keys and values of the tokens read so far: one set of buffers for many rows, which come and go. */

import { type Device, type DType, decodeAttention, keep, scope, type Tensor, tensor, torch } from '@emend/torch'
import type { DecoderConfig } from './config.js'
import type { Rotation } from './rope.js'

/** What attention asks of a cache. */
export interface KeyValueCache {
  /**
   * Takes the keys and values [B, kvHeads, L, headDim] of a pass; gives back those that its queries may read,
   * [B, kvHeads, K, headDim]. The last L of the K are the given ones.
   */
  append(layer: number, k: Tensor, v: Tensor): [Tensor, Tensor]
  /** Where there is a quicker way for passes of one token a row: takes its keys and values as well, and does the reading. */
  readonly attend?: ((layer: number, token: NewToken) => Tensor) | undefined
}

/** What attention of one new token a row is made of. */
export interface NewToken {
  /** [B, heads · headDim], not rotated yet */
  readonly q: Tensor
  /** [B, kvHeads · headDim], not rotated yet */
  readonly k: Tensor
  /** [B, kvHeads · headDim] */
  readonly v: Tensor
  readonly rotation: Rotation | null
  /** how many of the last tokens are read */
  readonly window?: number
  readonly scale: number | null
  readonly softCap: number | null
}

/** Buffers grow by at least so many columns at a time, where so many will be used. */
const STEP = 256

/** At least and at most. */
type Range = readonly [least: number, wished: number]

/** Numbers of columns are multiples of it, as `decodeAttention` wants them. */
const BLOCK = 32

/**
 * Buffers [rows, kvHeads, columns, headDim], a pair a layer. All rows write in the same column, `end`, and each begins in
 * a column of its own: its tokens stand in neighbouring columns, so that a distance between columns is one between
 * positions. A row that leaves is replaced by the last one. Used under no-grad only; the buffers outlive scopes,
 * `dispose` frees them.
 */
export class RowCache implements KeyValueCache {
  /** the column in which each row begins */
  readonly starts: number[] = []
  /** one behind the last column written; the owner advances it after a pass over all rows */
  end = 0
  #rows = 0
  #columns = 0
  #keys: Tensor[] = []
  #values: Tensor[] = []
  /** attention of one new token a row, → [B, heads · headDim]; the engine's own kernel is there for float32 on the CPU */
  readonly attend: KeyValueCache['attend']

  constructor(
    readonly config: Pick<DecoderConfig, 'layers' | 'kvHeads' | 'headDim'>,
    readonly options: {
      readonly device: Device
      readonly dtype: DType
      /** rows times columns are no more, but for what the rows must have; default no limit */
      readonly maxTokens?: number
    },
  ) {
    if (options.device === 'cpu' && options.dtype === 'float32') {
      this.attend = (layer, token) => {
        const buffers = { keys: this.#keys[layer]!, values: this.#values[layer]! }
        return decodeAttention({ ...token, ...buffers, starts: this.starts, end: this.end })
      }
    }
  }

  /** The first column that any row reads. */
  get first(): number {
    return this.starts.length === 0 ? this.end : Math.min(...this.starts)
  }

  /** How many columns the longest row reads. */
  get span(): number {
    return this.end - this.first
  }

  /**
   * Makes room for one more column. Where the buffers end, what is read moves to the front of new ones.
   * @param ahead columns that the rows will still write, if no other joins
   */
  reserve(ahead: number): void {
    if (this.end < this.#columns) return
    const { span } = this
    const wished = span + Math.min(Math.max(ahead, 1), Math.max(span, STEP))
    this.#move([this.starts.length, this.#rows], [span + 1, wished], 0)
  }

  append(layer: number, k: Tensor, v: Tensor): [Tensor, Tensor] {
    const { first, end } = this
    const added = k.shape[2]!
    const write = (buffer: Tensor, x: Tensor) => {
      const rows = buffer.narrow(0, 0, this.starts.length)
      rows.narrow(2, end, added).copy_(x)
      return rows.narrow(2, first, end - first + added)
    }
    return [write(this.#keys[layer]!, k), write(this.#values[layer]!, v)]
  }

  /**
   * Adds rows that begin with prompts.
   * @param lengths of each prompt of the pass, which are right-padded to the longest
   * @param prompts of each new row the number of its prompt: several rows may begin with the same
   * @param ahead columns that all rows, these among them, will still write
   * @returns what the pass over the prompts appends to: it reads its own keys only, and they are copied here, those of
   *   each row's prompt so that they end at `end`
   */
  add(lengths: readonly number[], prompts: readonly number[], ahead: number): KeyValueCache {
    const longest = Math.max(...lengths)
    const before = this.starts.length
    const rows = before + prompts.length
    if (before === 0) this.end = Math.min(longest, this.#columns)
    if (rows > this.#rows || longest > this.end) {
      const { span } = this
      const at = Math.max(0, longest - span)
      const used = at + span
      const wished = rows <= this.#rows ? this.#rows : before === 0 ? rows : 2 * this.#rows
      this.#move([rows, wished], [used + 1, used + Math.min(ahead, Math.max(used, STEP))], at)
    }
    // Token `from` of its prompt for each row and column before `end`; left of the prompt anything: it is never read.
    const from = new Int32Array(prompts.length * longest)
    for (const [r, prompt] of prompts.entries()) {
      const length = lengths[prompt]!
      for (let c = 0; c < longest; c++) {
        from[r * longest + c] = prompt * longest + Math.max(0, c - (longest - length))
      }
      this.starts.push(this.end - length)
    }
    const even = lengths.every(length => length === longest)
    const asTheyAre = even && prompts.length === lengths.length && prompts.every((prompt, r) => prompt === r)
    const index = tensor(from, { dtype: 'int64', device: this.options.device })
    const { kvHeads, headDim } = this.config
    const write = (buffer: Tensor, x: Tensor) => {
      const tokens = x.transpose(1, 2)
      const placed = asTheyAre
        ? tokens
        : tokens
            .reshape([lengths.length * longest, kvHeads * headDim])
            .index_select(0, index)
            .view([prompts.length, longest, kvHeads, headDim])
      buffer
        .narrow(0, before, prompts.length)
        .narrow(2, this.end - longest, longest)
        .copy_(placed.transpose(1, 2))
    }
    return {
      append: (layer, k, v) => {
        write(this.#keys[layer]!, k)
        write(this.#values[layer]!, v)
        return [k, v]
      },
    }
  }

  /** Removes a row; the last one takes its place. */
  remove(row: number): void {
    const last = this.starts.length - 1
    const start = this.starts[last]!
    if (row !== last) {
      // A view that outlived this would hold the memory of a whole buffer, even of one that is disposed of.
      scope(() => {
        for (const buffer of [...this.#keys, ...this.#values]) {
          const columns = buffer.narrow(2, start, this.end - start)
          columns.select(0, row).copy_(columns.select(0, last))
        }
      })
      this.starts[row] = start
    }
    this.starts.pop()
  }

  dispose(): void {
    for (const buffer of [...this.#keys, ...this.#values]) buffer.dispose()
    this.#keys = []
    this.#values = []
    this.#rows = this.#columns = 0
  }

  /**
   * New buffers, with what is read from column `at` on. One buffer at a time, so that memory holds one twice.
   * @param rows how many there must be, and how many there may be within `maxTokens`
   * @param columns likewise
   */
  #move([leastRows, wishedRows]: Range, [leastColumns, wishedColumns]: Range, at: number): void {
    const { device, dtype, maxTokens = Infinity } = this.options
    const rows = Math.max(leastRows, Math.min(wishedRows, Math.floor(maxTokens / leastColumns)))
    const least = Math.max(leastColumns, Math.min(wishedColumns, Math.floor(maxTokens / rows)))
    const columns = Math.ceil(least / BLOCK) * BLOCK
    const { layers, kvHeads, headDim } = this.config
    const { first, span } = this
    const live = this.starts.length
    const moved = (old: Tensor | undefined, make: () => Tensor) => {
      const buffer = make()
      if (old && live > 0) {
        const region = (x: Tensor, column: number) => x.narrow(0, 0, live).narrow(2, column, span)
        // Views that outlived this would hold the memory of what is disposed of below.
        scope(() => {
          region(buffer, at).copy_(region(old, first))
        })
      }
      old?.dispose()
      return buffer
    }
    // Zeros, since what is masked must still be a number.
    const zeros = (a: number, b: number) => torch.zeros([rows, kvHeads, a, b], { device, dtype })
    for (let layer = 0; layer < layers; layer++) {
      // The kernel reads keys whose columns are neighbours.
      this.#keys[layer] = moved(this.#keys[layer], () =>
        keep(scope(() => (this.attend ? zeros(headDim, columns).transpose(2, 3) : zeros(columns, headDim)))),
      )
      this.#values[layer] = moved(this.#values[layer], () => keep(zeros(columns, headDim)))
    }
    for (const row of this.starts.keys()) this.starts[row]! += at - first
    this.end = at + span
    this.#rows = rows
    this.#columns = columns
  }
}
