/** Responses to a list of prompts, all of one kind: what rollouts and samples are made by. */

import { setImmediate } from 'node:timers/promises'
import { EmendError, Interrupted } from '../errors.js'
import type { Decoder } from '../models/decoder.js'
import { GenerationEngine } from './engine.js'
import { checkRequest, type Generated } from './request.js'
import { PLAIN, type Shaping } from './sampler.js'

export interface GenerateOptions extends Partial<Shaping> {
  /** new tokens a prompt, EOS included; fewer where the context ends first */
  readonly maxNewTokens: number
  /** ids that end a response; any of them */
  readonly eos: readonly number[]
  readonly seed: number
  /** a number for each prompt: with the seed it decides the prompt's random numbers; default its index */
  readonly requests?: readonly number[]
  /** prompts generated together; default as `EngineOptions.maxRows` */
  readonly batch?: number
  onProgress?(progress: GenerationProgress): void
}

export interface GenerationProgress {
  /** responses finished, of how many, and tokens generated so far */
  readonly done: number
  readonly total: number
  readonly tokens: number
}

/**
 * Generates a response to every prompt, in the order of the prompts. Token t of a response is drawn with
 * u = hash(seed, request, t), so a text depends neither on the batch nor on its neighbours (up to float32 rounding where
 * u falls between two tokens). Defaults: temperature 1, no filters.
 * @param prompts token ids, at least one each
 * @throws EmendError naming the setting or the prompt that cannot be (empty, or as long as the context)
 */
export function generate(model: Decoder, prompts: readonly Int32Array[], options: GenerateOptions): Generated[] {
  const { engine, step, results } = begin(model, prompts, options)
  try {
    while (step());
  } finally {
    engine.dispose()
  }
  return results
}

/**
 * The same, letting the event loop turn between the steps, so that signals and messages arrive.
 * @throws Interrupted once `signal` is aborted
 */
export async function generateAsync(
  model: Decoder,
  prompts: readonly Int32Array[],
  options: GenerateOptions & { readonly signal?: AbortSignal },
): Promise<Generated[]> {
  const { engine, step, results } = begin(model, prompts, options)
  try {
    while (step()) {
      await setImmediate()
      if (options.signal?.aborted) throw new Interrupted('stopped while generating')
    }
  } finally {
    engine.dispose()
  }
  return results
}

function begin(model: Decoder, prompts: readonly Int32Array[], options: GenerateOptions) {
  const { maxNewTokens, eos, seed, requests, batch, onProgress, signal, ...sampling } = options as GenerateOptions & {
    readonly signal?: AbortSignal
  }
  for (const name of Object.keys(sampling)) {
    if (Object.hasOwn(PLAIN, name)) continue
    const known = ['maxNewTokens', 'eos', 'seed', 'requests', 'batch', 'onProgress', 'signal', ...Object.keys(PLAIN)]
    throw new EmendError(`generate: no option '${name}'; there are ${known.join(', ')}`)
  }
  if (batch !== undefined && !(Number.isSafeInteger(batch) && batch >= 1)) {
    throw new EmendError(`batch: got ${batch}, expected a whole number from 1`)
  }
  if (requests && requests.length !== prompts.length) {
    throw new EmendError(`requests: got ${requests.length}, expected one for each of the ${prompts.length} prompts`)
  }
  const results: Generated[] = new Array(prompts.length)
  const progress = { done: 0, total: prompts.length, tokens: 0 }
  const asked = prompts.map((prompt, i) => ({
    prompt,
    maxNewTokens,
    eos,
    sampling: shapingOf(sampling),
    seed,
    request: requests?.[i] ?? i,
    onToken: () => void progress.tokens++,
    onFinish: (_: number, result: Generated) => {
      results[i] = result
      progress.done++
    },
  }))
  for (const [i, request] of asked.entries()) checkRequest(request, model.config.maxPositions, `prompt ${i}`)
  const engine = new GenerationEngine(model, batch === undefined ? {} : { maxRows: batch })
  // Neighbours in length stand together, so that little is padded; equal lengths stay in the order given.
  const order = [...asked.keys()].sort((a, b) => prompts[a]!.length - prompts[b]!.length)
  for (const i of order) engine.add(asked[i]!, `prompt ${i}`)
  const step = () => {
    const more = engine.step()
    onProgress?.({ ...progress })
    return more
  }
  return { engine, step, results }
}

/** Only what is given: an undefined setting is one left out. */
function shapingOf({ repetitionPenalty, temperature, topK, topP, minP }: Partial<Shaping>): Partial<Shaping> {
  const all = { repetitionPenalty, temperature, topK, topP, minP }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}
