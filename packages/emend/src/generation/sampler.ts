/** From logits to a token: penalty, temperature, filters, and the inverse of the cumulative distribution at a given u. */

import { type Tensor, tensor, torch, uniform } from '@emend/torch'
import { EmendError } from '../errors.js'
import { logSoftmax } from '../models/logprobs.js'

/** How the distribution is shaped before a token is drawn from it; applied in the order of transformers, which is this one. */
export interface Shaping {
  /**
   * divides the positive logits of tokens that stand in the prompt or the response, multiplies the negative ones
   * (Keskar et al. 2019, arXiv 1909.05858); 1 changes nothing
   */
  readonly repetitionPenalty: number
  /** divides the logits; 0 takes the most probable token (the filters below then change nothing) */
  readonly temperature: number
  /** keep only the k most probable tokens (and those equal to the k-th); 0 keeps all */
  readonly topK: number
  /** keep the most probable tokens until their mass reaches p (Holtzman et al. 2019, arXiv 1904.09751); 1 keeps all */
  readonly topP: number
  /** keep tokens at least this times as probable as the most probable one (arXiv 2407.01082); 0 keeps all */
  readonly minP: number
}

/** The model's own distribution. */
export const PLAIN: Shaping = { repetitionPenalty: 1, temperature: 1, topK: 0, topP: 1, minP: 0 }

/** @throws EmendError naming the setting that cannot be */
export function checkShaping({ repetitionPenalty, temperature, topK, topP, minP }: Shaping): void {
  if (!(repetitionPenalty > 0 && repetitionPenalty < Infinity)) {
    throw new EmendError(`repetitionPenalty: got ${repetitionPenalty}, expected a number above 0 (1: none)`)
  }
  if (!(temperature >= 0 && temperature < Infinity)) {
    throw new EmendError(`temperature: got ${temperature}, expected a number from 0`)
  }
  if (!Number.isSafeInteger(topK) || topK < 0)
    throw new EmendError(`topK: got ${topK}, expected a whole number from 0 (0: all)`)
  if (!(topP > 0 && topP <= 1))
    throw new EmendError(`topP: got ${topP}, expected a number above 0 and up to 1 (1: all)`)
  if (!(minP >= 0 && minP <= 1)) throw new EmendError(`minP: got ${minP}, expected a number from 0 (all) to 1`)
}

/**
 * The log-probabilities tokens are drawn from, float32: penalised before, then temperature, top-k, top-p and min-p,
 * renormalised; a token that is filtered out has −∞. At temperature 0 they are those at temperature 1, unfiltered.
 * @param logits [B, V], penalised already (see `penalise`)
 */
export function shapedLogprobs(logits: Tensor, shaping: Partial<Omit<Shaping, 'repetitionPenalty'>>): Tensor {
  const { temperature, topK, topP, minP } = { ...PLAIN, ...shaping }
  const all = logSoftmax(logits, temperature === 0 ? 1 : temperature)
  if (temperature === 0) return all
  let kept = all
  if (topK > 0 && topK < logits.shape[1]!) {
    const smallest = all.topk(topK, -1).values.narrow(-1, topK - 1, 1)
    kept = kept.masked_fill(kept.lt(smallest), -Infinity)
  }
  if (topP < 1) {
    const sorted = kept.sort({ stable: true, dim: -1, descending: true })
    const probabilities = sorted.values.softmax(-1)
    const massBefore = probabilities.cumsum(-1).sub(probabilities)
    const removed = massBefore.ge(topP)
    kept = kept.masked_fill(torch.zeros_like(removed).scatter(-1, sorted.indices, removed), -Infinity)
  }
  if (minP > 0) kept = kept.masked_fill(kept.lt(kept.amax([-1], true).add(Math.log(minP))), -Infinity)
  return kept === all ? all : kept.log_softmax(-1)
}

/**
 * Logits with those of tokens that were seen divided by the penalty where positive, multiplied where negative.
 * @param logits [B, V]
 * @param seen of each row the ids seen, at least one; repetitions do no harm
 */
export function penalise(logits: Tensor, seen: readonly ArrayLike<number>[], penalty: number): Tensor {
  const longest = Math.max(...seen.map(ids => ids.length))
  const columns = new Int32Array(seen.length * longest)
  // Short rows are filled up with their first id: it is written twice with the same value.
  for (const [row, ids] of seen.entries()) {
    columns.fill(ids[0]!, row * longest, (row + 1) * longest)
    columns.set(ids, row * longest)
  }
  const index = tensor(columns, { shape: [seen.length, longest], dtype: 'int64', device: logits.device })
  const before = logits.gather(1, index)
  const after = torch.where(before.lt(0), before.mul(penalty), before.div(penalty))
  return logits.scatter(1, index, after)
}

/** Tokens up to which a vocabulary is drawn from in one step. */
const ONE_STEP = 4096
/** Parts of a part, in a draw of several steps. */
const BRANCHES = 16

/**
 * The token at which the cumulative probability first exceeds u, for each row: the same u and the same distribution give
 * the same token whatever the batch. Summed in float64 where the device has it. From a large vocabulary it is drawn in steps
 * (see `descend`).
 * @param logprobs [B, V]
 * @param u [B] in [0, 1)
 * @returns int64 [B]
 */
export function draw(logprobs: Tensor, u: readonly number[]): Tensor {
  const dtype = logprobs.device === 'mps' ? 'float32' : 'float64'
  const cumulative = logprobs.exp().cumsum(-1, { dtype })
  const V = logprobs.shape[1]!
  if (V > ONE_STEP) return descend(cumulative, u)
  // A hair below 1, so that rounding cannot carry u · total to the total itself, past the last token with any mass.
  const below = u.map(x => Math.min(x, 1 - 2 ** -40))
  const column = tensor(below, { shape: [u.length, 1], dtype, device: logprobs.device })
  const total = cumulative.narrow(-1, V - 1, 1)
  return torch
    .searchsorted(cumulative, total.mul(column), { right: true })
    .squeeze(-1)
    .clamp({ max: V - 1 })
}

/**
 * Draws a part of the vocabulary, a part of that part, and so on to a token, each by a number of its own that follows from u.
 * In one step what happens in a long tail would be rounding's to decide: the shares that its tens of thousands of tokens have in
 * [0, 1) are narrower than what the sum before them moves by when the batch is another. A share of a part moves only with the part.
 * @param cumulative [B, V] probabilities summed up
 * @param u [B] in [0, 1)
 * @returns int64 [B]
 */
function descend(cumulative: Tensor, u: readonly number[]): Tensor {
  const { device, dtype } = cumulative
  const [B, V] = cumulative.shape as [number, number]
  let start = torch.zeros([B, 1], { dtype: 'int64', device })
  let size = BRANCHES ** Math.floor(Math.log2(V - 1) / Math.log2(BRANCHES))
  for (let step = 0; size >= 1; size /= BRANCHES, step++) {
    const parts = Math.min(BRANCHES, Math.ceil(V / size))
    const steps = tensor(
      Int32Array.from({ length: parts + 1 }, (_, i) => i * size),
      { dtype: 'int64', device },
    )
    const ends = start.add(steps).clamp({ max: V })
    const before = cumulative.gather(1, ends.sub(1).clamp({ min: 0 })).mul(ends.gt(0))
    const first = before.narrow(1, 0, 1)
    const shares = before
      .narrow(1, 1, parts)
      .sub(first)
      .div(before.narrow(1, parts, 1).sub(first))
    const numbers = tensor(step === 0 ? u : u.map(x => uniform(Math.floor(x * 2 ** 53), step)), {
      shape: [B, 1],
      dtype,
      device,
    })
    start = start.add(shares.le(numbers).sum(1, true).mul(size))
  }
  return start.squeeze(-1)
}

/** What one row draws its next token with. */
export interface Draw {
  readonly shaping: Shaping
  /** in [0, 1); not used at temperature 0 */
  readonly u: number
  /** ids of the prompt and the response so far; asked for only where there is a penalty */
  seen(): ArrayLike<number>
  /** how many of the most probable tokens to tell beside the drawn one */
  readonly top: number
}

export interface Drawn {
  readonly id: number
  /** under the distribution it was drawn from */
  readonly logprob: number
  /** the most probable tokens, those with any probability, best first */
  readonly top: readonly (readonly [id: number, logprob: number])[]
}

/** Draws a token for each row, each from its own shaping of the distribution. @param logits [B, V] */
export function sample(logits: Tensor, rows: readonly Draw[]): Drawn[] {
  const groups = new Map<string, number[]>()
  for (const [i, { shaping }] of rows.entries()) {
    const key = Object.keys(PLAIN)
      .map(name => shaping[name as keyof Shaping])
      .join(' ')
    const members = groups.get(key)
    if (members) members.push(i)
    else groups.set(key, [i])
  }
  const drawn: Drawn[] = new Array(rows.length)
  for (const members of groups.values()) {
    const index = Int32Array.from(members)
    const part =
      groups.size === 1 ? logits : logits.index_select(0, tensor(index, { dtype: 'int64', device: logits.device }))
    const answers = sampleAlike(
      part,
      members.map(i => rows[i]!),
    )
    for (const [k, i] of members.entries()) drawn[i] = answers[k]!
  }
  return drawn
}

/** The same for rows that share one shaping; one read-back. */
function sampleAlike(logits: Tensor, rows: readonly Draw[]): Drawn[] {
  const { shaping } = rows[0]!
  const { temperature, repetitionPenalty } = shaping
  const penalised =
    repetitionPenalty === 1
      ? logits
      : penalise(
          logits,
          rows.map(row => row.seen()),
          repetitionPenalty,
        )
  const logprobs = shapedLogprobs(penalised, shaping)
  const ids =
    temperature === 0
      ? logprobs.argmax(-1, true)
      : draw(
          logprobs,
          rows.map(row => row.u),
        ).unsqueeze(1)
  const top = Math.min(Math.max(...rows.map(row => row.top)), logits.shape[1]!)
  const wide = logits.device === 'mps' ? 'float32' : 'float64'
  const columns = [ids.to(wide), logprobs.gather(1, ids).to(wide)]
  if (top > 0) {
    const best = logprobs.topk(top, -1)
    columns.push(best.indices.to(wide), best.values.to(wide))
  }
  const read = torch.cat(columns, 1).data() as Float64Array
  const width = 2 + 2 * top
  return rows.map((row, i) => {
    const [id, logprob] = [read[i * width]!, read[i * width + 1]!]
    const best = Array.from({ length: row.top }, (_, k) => k)
      .map(k => [read[i * width + 2 + k]!, read[i * width + 2 + top + k]!] as const)
      .filter(([, logprob]) => logprob > -Infinity)
    return { id, logprob, top: best }
  })
}
