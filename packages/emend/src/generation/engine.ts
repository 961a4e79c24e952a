/** One engine for rollouts, the command line and the server: rows join and leave the batch while it runs. */

import { type Device, memory, noGrad, scope, type Tensor, tensor, torch, uniform } from '@emend/torch'
import { EmendError } from '../errors.js'
import { lengthBatches } from '../models/bucket.js'
import { RowCache } from '../models/cache.js'
import type { Decoder } from '../models/decoder.js'
import { PackedWeights } from '../models/packed.js'
import { checkRequest, type Finish, type GenerationRequest } from './request.js'
import { type Draw, type Drawn, PLAIN, type Shaping, sample } from './sampler.js'

export interface EngineOptions {
  /** samples computed together; default 64 on the CPU, where their keys and values then fit its caches, else 256 */
  readonly maxRows?: number
  /** tokens the cache may hold, padding included; default: as many as fit in half of the memory there is */
  readonly maxTokens?: number
  /**
   * Computes several rows with a copy of the weights that is quicker to read, as they are at the first `step` of several
   * rows. Default: where that is possible and the copy takes less than a quarter of the memory left, unless the model
   * has an adapter (which is there to save a copy).
   */
  readonly packed?: boolean
}

/** Prompt tokens of one prefill pass: bounds its activations. */
const PREFILL_TOKENS = 8192

/** A request that has not finished all its samples. */
interface Job extends GenerationRequest {
  readonly id: number
  readonly shaping: Shaping
  readonly n: number
  /** new tokens that fit */
  readonly budget: number
  /** samples that have begun */
  begun: number
  cancelled: boolean
}

/** One sample being made; row i of the engine is row i of the cache. */
interface Row {
  readonly job: Job
  readonly sample: number
  readonly ids: number[]
  readonly logprobs: number[]
  finish?: Finish
}

/**
 * Generates for many requests at once. Each `step` is one pass of the model for all rows, which draws one token for each;
 * samples that end leave, waiting ones join, their prompts read apart. A text depends neither on the batch nor on its
 * neighbours, up to float32 rounding where u falls between two tokens.
 */
export class GenerationEngine {
  readonly maxRows: number
  readonly maxTokens: number
  readonly #cache: RowCache
  readonly #packed: PackedWeights | null
  #rows: Row[] = []
  #waiting: Job[] = []
  #ids = 0
  /** whether there were several rows yet */
  #packs = false

  constructor(
    readonly model: Decoder,
    options: EngineOptions = {},
  ) {
    const { device, dtype, config } = model
    this.maxRows = options.maxRows ?? usualRows(device)
    this.maxTokens = options.maxTokens ?? affordable(model)
    for (const [name, value] of [
      ['maxRows', this.maxRows],
      ['maxTokens', this.maxTokens],
    ] as const) {
      if (!Number.isSafeInteger(value) || value < 1)
        throw new EmendError(`${name}: got ${value}, expected a whole number from 1`)
    }
    this.#cache = new RowCache(config, { device, dtype, maxTokens: this.maxTokens })
    const packs = (options.packed ?? worthPacking(model)) && this.maxRows > 1 && PackedWeights.serve(model)
    this.#packed = packs ? new PackedWeights() : null
  }

  /** Samples in the batch. */
  get active(): number {
    return this.#rows.filter(row => !over(row)).length
  }

  /** Samples that wait for room in it. */
  get waiting(): number {
    return this.#waiting.reduce((sum, { n, begun }) => sum + n - begun, 0)
  }

  /**
   * Enters a request; it begins with the next `step` that has room.
   * @returns its number, for `cancel`
   * @throws EmendError naming the setting that cannot be
   */
  add(request: GenerationRequest, where = 'the prompt'): number {
    const context = this.model.config.maxPositions
    checkRequest(request, context, where)
    const budget = Math.min(request.maxNewTokens, context - request.prompt.length)
    if (request.prompt.length + budget > this.maxTokens) {
      throw new EmendError(
        `${where}: ${request.prompt.length} tokens and up to ${budget} new ones do not fit the cache of ${this.maxTokens}`,
      )
    }
    const id = this.#ids++
    const shaping = { ...PLAIN, ...request.sampling }
    this.#waiting.push({ ...request, n: request.n ?? 1, id, shaping, budget, begun: 0, cancelled: false })
    return id
  }

  /** Ends a request without another call of its functions; what has ended already is left alone. */
  cancel(id: number): void {
    this.#waiting = this.#waiting.filter(job => job.id !== id)
    for (const { job } of this.#rows) if (job.id === id) job.cancelled = true
  }

  /**
   * One pass for all rows, which draws a token for each. `onToken` and `onFinish` are called behind it; they may add and
   * cancel requests.
   * @returns whether anything is left to do
   */
  step(): boolean {
    for (let i = this.#rows.length - 1; i >= 0; i--) if (over(this.#rows[i]!)) this.#leave(i)
    const joining = this.#admit()
    if (this.#rows.length + joining.length === 0) return false
    const several = this.#rows.length > 1 || joining.length > 1 || (joining[0]?.samples.length ?? 0) > 1
    const drawn = this.#computing(several, () =>
      scope(() => {
        const hidden = this.#rows.length > 0 ? [this.#decode()] : []
        for (const batch of lengthBatches(
          joining.map(({ job }) => job.prompt.length),
          PREFILL_TOKENS,
        )) {
          hidden.push(this.#prefill(batch.map(i => joining[i]!)))
        }
        return sample(
          this.model.logits(hidden.length === 1 ? hidden[0]! : torch.cat(hidden, 0)),
          this.#rows.map(asDraw),
        )
      }),
    )
    for (const [i, row] of this.#rows.entries()) record(row, drawn[i]!)
    return this.#waiting.length > 0 || !this.#rows.every(over)
  }

  /** Frees the cache; requests that have not ended never will. */
  dispose(): void {
    this.#rows = []
    this.#waiting = []
    this.#cache.dispose()
    this.#packed?.dispose()
  }

  /** Runs a pass, with the packed weights where they are of use: many rows read them as quickly as one does. */
  #computing<T>(several: boolean, fn: () => T): T {
    this.#packs ||= several
    return noGrad(() => (this.#packed && this.#packs ? this.#packed.use(fn) : fn()))
  }

  #leave(i: number): void {
    this.#cache.remove(i)
    const last = this.#rows.pop()!
    if (i < this.#rows.length) this.#rows[i] = last
  }

  /** Samples that begin now, in the order in which their requests came. */
  #admit(): { job: Job; samples: number[] }[] {
    const free = this.maxRows - this.#rows.length
    // A prefill costs about a step: while the batch is nearly full, one for several rows.
    if (free < Math.min(this.waiting, Math.max(1, this.maxRows >> 3))) return []
    const joining: { job: Job; samples: number[] }[] = []
    let rows = this.#rows.length
    let longest = Math.max(0, ...this.#rows.map(({ job }) => job.prompt.length + job.budget))
    for (const job of this.#waiting) {
      const needed = Math.max(longest, job.prompt.length + job.budget)
      const room = Math.min(this.maxRows, Math.floor(this.maxTokens / needed)) - rows
      const count = Math.min(room, job.n - job.begun)
      if (count < 1) break
      joining.push({ job, samples: Array.from({ length: count }, (_, k) => job.begun + k) })
      job.begun += count
      rows += count
      longest = needed
    }
    this.#waiting = this.#waiting.filter(job => job.begun < job.n)
    return joining
  }

  /** Each row's last token → hidden states [rows, D]. */
  #decode(): Tensor {
    const { model } = this
    const rows = this.#rows
    const batch = rows.length
    this.#cache.reserve(this.#ahead())
    const place = (data: readonly number[]) =>
      tensor(Int32Array.from(data), { shape: [batch, 1], dtype: 'int64', device: model.device })
    const positions = rows.map(({ job, ids }) => job.prompt.length + ids.length - 1)
    const hidden = model.model.run(place(rows.map(({ ids }) => ids.at(-1)!)), {
      batch,
      length: 1,
      rotation: model.model.rotary.at(place(positions), Math.max(...positions) + 1, model.dtype),
      ...this.#visible(),
      cache: this.#cache,
    })
    this.#cache.end++
    return hidden
  }

  /** Reads the right-padded prompts, each once; gives the hidden state of the last token for every new row, [rows, D]. */
  #prefill(joining: readonly { job: Job; samples: number[] }[]): Tensor {
    const { model } = this
    const lengths = joining.map(({ job }) => job.prompt.length)
    const longest = Math.max(...lengths)
    const ids = new Int32Array(joining.length * longest)
    for (const [i, { job }] of joining.entries()) ids.set(job.prompt, i * longest)
    const place = (data: Int32Array, shape: readonly number[]) =>
      tensor(data, { shape, dtype: 'int64', device: model.device })
    const prompts = joining.flatMap(({ samples }, i) => samples.map(() => i))
    for (const { job, samples } of joining) {
      for (const sample of samples) this.#rows.push({ job, sample, ids: [], logprobs: [] })
    }
    // Padding stands behind every prompt, where causal attention keeps it out; the cache leaves it behind.
    const hidden = model.model.run(
      place(ids, [joining.length, longest]),
      {
        batch: joining.length,
        length: longest,
        rotation: model.model.rotary.range(longest, model.dtype),
        cache: this.#cache.add(lengths, prompts, this.#ahead()),
      },
      place(
        Int32Array.from(lengths, (length, i) => i * longest + length - 1),
        [joining.length],
      ),
    )
    if (prompts.length === joining.length) return hidden
    return hidden.index_select(0, place(Int32Array.from(prompts), [prompts.length]))
  }

  /** Tokens that the row with most to do will still write. */
  #ahead(): number {
    return Math.max(...this.#rows.map(({ job, ids }) => job.budget - ids.length))
  }

  /**
   * A mask of the columns that hold tokens of each row, this step's among them, bool [B, 1, 1, K]: false left of where the
   * row begins. None where all begin together, or where the cache reads by itself.
   */
  #visible(): { mask?: Tensor } {
    const { starts, first, span } = this.#cache
    if (this.#cache.attend || starts.every(start => start === first)) return {}
    const columns = new Uint8Array(starts.length * (span + 1)).fill(1)
    for (const [i, start] of starts.entries()) columns.fill(0, i * (span + 1), i * (span + 1) + start - first)
    return {
      mask: tensor(columns, { shape: [starts.length, 1, 1, span + 1], dtype: 'bool', device: this.model.device }),
    }
  }
}

/** Samples computed together unless told: on the CPU as many as have keys and values that fit its caches. */
export const usualRows = (device: Device): number => (device === 'cpu' ? 64 : 256)

const over = ({ finish, job }: Row): boolean => finish !== undefined || job.cancelled

function asDraw({ job, sample, ids }: Row): Draw {
  const { seed, request, shaping, prompt, topLogprobs = 0 } = job
  const key = sample === 0 ? [seed, request, ids.length] : [seed, request, ids.length, sample]
  return { shaping, u: uniform(...key), top: topLogprobs, seen: () => [...prompt, ...ids] }
}

function record(row: Row, { id, logprob, top }: Drawn): void {
  const { job, sample, ids, logprobs } = row
  if (job.cancelled) return
  ids.push(id)
  logprobs.push(logprob)
  const said = job.onToken?.({ sample, id, logprob, ...(job.topLogprobs ? { top } : {}) })
  if (job.eos.includes(id)) row.finish = 'eos'
  else if (said === 'stop') row.finish = 'stop'
  else if (ids.length === job.budget) row.finish = 'length'
  if (!row.finish || job.cancelled) return
  const { finish } = row
  job.onFinish?.(sample, {
    ids: Int32Array.from(ids),
    logprobs: Float32Array.from(logprobs),
    ended: finish === 'eos',
    finish,
  })
}

function worthPacking(model: Decoder): boolean {
  const { limit, bytes } = memory()
  const size = [...model.parameters().values()].reduce((sum, { numel }) => sum + 4 * numel, 0)
  return !model.model.adapter && size < (limit - bytes) / 4
}

/** Tokens whose keys and values fill half of the memory that is left. */
function affordable({ config, dtype, device }: Decoder): number {
  if (device !== 'cpu') return Number.MAX_SAFE_INTEGER
  const { limit, bytes } = memory()
  const perToken =
    2 * config.layers * config.kvHeads * config.headDim * (dtype === 'float64' ? 8 : dtype === 'float32' ? 4 : 2)
  return Math.max(1, Math.floor((limit - bytes) / 2 / perToken))
}
