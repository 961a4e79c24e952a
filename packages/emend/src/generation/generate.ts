/** Batched generation: left-padded prompts, a key-value cache written in place, one read-back a step. */

import { noGrad, scope, type Tensor, tensor, torch, uniform } from '@emend/torch'
import { EmendError } from '../errors.js'
import { KeyValueCache } from '../models/cache.js'
import type { Decoder } from '../models/decoder.js'
import { checkShaping, draw, type Shaping, shapedLogprobs } from './sampler.js'

export interface GenerateOptions extends Partial<Shaping> {
  /** new tokens a prompt, EOS included; fewer where the context ends first */
  readonly maxNewTokens: number
  /** ids that end a response; any of them */
  readonly eos: readonly number[]
  readonly seed: number
  /** a number for each prompt: with the seed it decides the prompt's random numbers; default its index */
  readonly requests?: readonly number[]
  /** prompts generated together; default 64 on the CPU, where their keys and values then fit its caches, else 256 */
  readonly batch?: number
  onProgress?(progress: GenerationProgress): void
}

export interface GenerationProgress {
  /** responses finished, of how many, and tokens generated so far */
  readonly done: number
  readonly total: number
  readonly tokens: number
}

export interface Generated {
  /** the response; when an EOS was produced it is the last id */
  readonly ids: Int32Array
  /** of each id, under the distribution it was drawn from (temperature and filters applied) */
  readonly logprobs: Float32Array
  /** an EOS was produced */
  readonly ended: boolean
  readonly finish: 'eos' | 'length'
}

/** One response being made. */
interface Row {
  readonly prompt: Int32Array
  readonly request: number
  readonly budget: number
  readonly ids: number[]
  readonly logprobs: number[]
  finish?: 'eos' | 'length'
}

/**
 * Generates a response to every prompt, in the order of the prompts. Token t of a response is drawn with
 * u = hash(seed, request, t), so a text depends neither on the batch nor on its neighbours (up to float32 rounding where
 * u falls between two tokens). Defaults: temperature 1, no filters.
 * @param prompts token ids, at least one each
 * @throws EmendError naming the setting or the prompt that cannot be (empty, or as long as the context)
 */
export function generate(model: Decoder, prompts: readonly Int32Array[], options: GenerateOptions): Generated[] {
  const { maxNewTokens, eos, seed, requests, temperature = 1, topK = 0, topP = 1 } = options
  const { batch = model.device === 'cpu' ? 64 : 256 } = options
  const shaping = { temperature, topK, topP }
  checkShaping(shaping)
  for (const [name, value] of [
    ['maxNewTokens', maxNewTokens],
    ['batch', batch],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new EmendError(`${name}: got ${value}, expected a whole number from 1`)
  }
  if (requests && requests.length !== prompts.length) {
    throw new EmendError(`requests: got ${requests.length}, expected one for each of the ${prompts.length} prompts`)
  }
  const context = model.config.maxPositions
  const rows = prompts.map((prompt, i): Row => {
    if (prompt.length === 0) throw new EmendError(`prompt ${i} is empty: begin it with at least one token (BOS)`)
    const room = context - prompt.length
    if (room < 1) {
      throw new EmendError(
        `prompt ${i} has ${prompt.length} tokens: the model's context of ${context} leaves no room for a reply`,
      )
    }
    return { prompt, request: requests?.[i] ?? i, budget: Math.min(maxNewTokens, room), ids: [], logprobs: [] }
  })
  const stops = new Set(eos)
  const progress = { done: 0, total: rows.length, tokens: 0 }
  const record = (row: Row, id: number, logprob: number) => {
    if (row.finish) return
    row.ids.push(id)
    row.logprobs.push(logprob)
    progress.tokens++
    if (stops.has(id)) row.finish = 'eos'
    else if (row.ids.length === row.budget) row.finish = 'length'
    if (row.finish) progress.done++
  }
  // Neighbours in length stand together, so that little is padded; equal lengths stay in the order given.
  const order = [...rows].sort((a, b) => a.prompt.length - b.prompt.length)
  for (let first = 0; first < order.length; first += batch) {
    const members = order.slice(first, first + batch)
    noGrad(() =>
      scope(() => complete(model, members, shaping, seed, record, () => options.onProgress?.({ ...progress }))),
    )
  }
  return rows.map(({ ids, logprobs, finish }) => ({
    ids: Int32Array.from(ids),
    logprobs: Float32Array.from(logprobs),
    ended: finish === 'eos',
    finish: finish!,
  }))
}

/** Generates for one batch of rows, calling `record` for every token of every row still in the batch. */
function complete(
  model: Decoder,
  rows: readonly Row[],
  shaping: Shaping,
  seed: number,
  record: (row: Row, id: number, logprob: number) => void,
  onStep: () => void,
): void {
  const { device, dtype } = model
  const longest = Math.max(...rows.map(row => row.prompt.length))
  const capacity = longest + Math.max(...rows.map(row => row.budget))
  const cache = KeyValueCache.allocate(model.config, rows.length, capacity, { device, dtype })
  const place = (data: readonly number[], shape: readonly number[]) =>
    tensor(Int32Array.from(data), { shape, dtype: 'int64', device })
  let live = rows
  let real = realKeys(live, longest, capacity).to(device)
  try {
    let hidden = scope(() => prefill(model, live, longest, cache, real))
    for (let t = 0; ; t++) {
      const next = scope(() => {
        const logprobs = shapedLogprobs(model.logits(hidden), shaping)
        const ids =
          shaping.temperature === 0
            ? logprobs.argmax(-1)
            : draw(
                logprobs,
                live.map(row => uniform(seed, row.request, t)),
              )
        const chosen = logprobs.gather(1, ids.unsqueeze(1)).squeeze(1)
        const wide = device === 'mps' ? 'float32' : 'float64'
        const read = torch.stack([ids.to(wide), chosen.to(wide)]).data() as Float64Array
        for (const [i, row] of live.entries()) record(row, read[i]!, read[live.length + i]!)
        onStep()

        const going = live.flatMap((row, i) => (row.finish ? [] : [i]))
        if (going.length === 0) return undefined
        let consumed = ids
        // Copying the cache costs about a step: worth it once a quarter of the rows no longer needs one.
        if (going.length <= live.length * 0.75) {
          const chosenRows = place(going, [going.length])
          cache.select(chosenRows)
          consumed = ids.index_select(0, chosenRows)
          live = going.map(i => live[i]!)
          real = real.index_select(0, chosenRows)
        }
        const positions = live.map(row => Math.min(row.prompt.length + t, model.config.maxPositions - 1))
        const batch = live.length
        const pass = {
          batch,
          length: 1,
          rotation: model.model.rotary.at(place(positions, [batch, 1]), Math.max(...positions) + 1, dtype),
          mask: real.narrow(3, 0, cache.length + 1),
          cache,
        }
        const after = model.model.run(consumed.view([batch, 1]), pass)
        cache.length++
        return { hidden: after, real }
      })
      hidden.dispose()
      if (!next) return
      hidden = next.hidden
      real = next.real
    }
  } finally {
    cache.dispose()
  }
}

/** Reads the left-padded prompts; gives the hidden state of each last token, [B, D]. */
function prefill(model: Decoder, rows: readonly Row[], longest: number, cache: KeyValueCache, real: Tensor): Tensor {
  const { device, dtype } = model
  const batch = rows.length
  const ids = new Int32Array(batch * longest)
  const positions = new Int32Array(batch * longest)
  const last = new Int32Array(batch)
  for (const [i, { prompt }] of rows.entries()) {
    const start = i * longest + longest - prompt.length
    ids.set(prompt, start)
    for (let j = 0; j < prompt.length; j++) positions[start + j] = j
    last[i] = (i + 1) * longest - 1
  }
  const place = (data: Int32Array, shape: readonly number[]) => tensor(data, { shape, dtype: 'int64', device })
  const even = rows.every(row => row.prompt.length === longest)
  const rotation = even
    ? model.model.rotary.range(longest, dtype)
    : model.model.rotary.at(place(positions, [batch, longest]), longest, dtype)
  const mask = even ? undefined : visible(real.narrow(3, 0, longest))
  const hidden = model.model.run(
    place(ids, [batch, longest]),
    { batch, length: longest, rotation, cache, ...(mask ? { mask } : {}) },
    place(last, [batch]),
  )
  cache.length = longest
  return hidden
}

/** Columns that hold tokens, bool [B, 1, 1, capacity]: false on the padding left of each prompt. */
function realKeys(rows: readonly Row[], longest: number, capacity: number): Tensor {
  const columns = new Uint8Array(rows.length * capacity).fill(1)
  for (const [i, { prompt }] of rows.entries()) columns.fill(0, i * capacity, i * capacity + longest - prompt.length)
  return tensor(columns, { shape: [rows.length, 1, 1, capacity], dtype: 'bool' })
}

/**
 * What each prompt token may read, bool [B, 1, P, P]: itself and the real tokens before it. (A padding token reads
 * itself too: attention over nothing is not a number.)
 */
function visible(real: Tensor): Tensor {
  const { device } = real
  const P = real.shape[3]!
  const causal = torch.ones([P, P], { dtype: 'bool', device }).tril()
  return real.logical_and(causal).logical_or(torch.eye(P, { dtype: 'bool', device }))
}
