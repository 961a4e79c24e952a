/** From logits to a token: temperature, top-k, top-p, and the inverse of the cumulative distribution at a given u. */

import { type Tensor, tensor, torch } from '@emend/torch'
import { EmendError } from '../errors.js'
import { logSoftmax } from '../models/logprobs.js'

/** How the distribution is shaped before a token is drawn from it. */
export interface Shaping {
  /** divides the logits; 0 takes the most probable token (the filters then change nothing) */
  readonly temperature: number
  /** keep only the k most probable tokens (and those equal to the k-th); 0 keeps all */
  readonly topK: number
  /** keep the most probable tokens until their mass reaches p (Holtzman et al. 2019, arXiv 1904.09751); 1 keeps all */
  readonly topP: number
}

/** @throws EmendError naming the setting that cannot be */
export function checkShaping({ temperature, topK, topP }: Shaping): void {
  if (!(temperature >= 0 && temperature < Infinity)) {
    throw new EmendError(`temperature: got ${temperature}, expected a number from 0`)
  }
  if (!Number.isSafeInteger(topK) || topK < 0)
    throw new EmendError(`topK: got ${topK}, expected a whole number from 0 (0: all)`)
  if (!(topP > 0 && topP <= 1))
    throw new EmendError(`topP: got ${topP}, expected a number above 0 and up to 1 (1: all)`)
}

/**
 * The log-probabilities tokens are drawn from, float32: temperature first, then top-k, then top-p, renormalised; a token
 * that is filtered out has −∞. At temperature 0 they are the model's own, at temperature 1.
 * @param logits [B, V]
 */
export function shapedLogprobs(logits: Tensor, { temperature, topK, topP }: Shaping): Tensor {
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
  return kept === all ? all : kept.log_softmax(-1)
}

/**
 * The token at which the cumulative probability first exceeds u, for each row: the same u and the same distribution give
 * the same token whatever the batch. Summed in float64 where the device has it.
 * @param logprobs [B, V]
 * @param u [B] in [0, 1)
 * @returns int64 [B]
 */
export function draw(logprobs: Tensor, u: readonly number[]): Tensor {
  const dtype = logprobs.device === 'mps' ? 'float32' : 'float64'
  const cumulative = logprobs.exp().cumsum(-1, { dtype })
  const V = logprobs.shape[1]!
  // A hair below 1, so that rounding cannot carry u · total to the total itself, past the last token with any mass.
  const below = u.map(x => Math.min(x, 1 - 2 ** -40))
  const column = tensor(below, { shape: [u.length, 1], dtype, device: logprobs.device })
  const total = cumulative.narrow(-1, V - 1, 1)
  return torch
    .searchsorted(cumulative, total.mul(column), { right: true })
    .squeeze(-1)
    .clamp({ max: V - 1 })
}
