/** What a policy, a reward model and a value model say about response tokens they are shown. */

import { noGrad, type Tensor } from '@emend/torch'
import type { Decoder } from './decoder.js'
import type { ScalarModel } from './heads.js'
import { type Sequences, spread } from './sequences.js'

export interface LogprobsOptions {
  /** divides the logits, when sampling and here alike; above 0 */
  readonly temperature: number
  /** also the entropy of each token's distribution, in nats, detached */
  readonly entropy?: boolean
}

/**
 * log π(a_t | s_t) of every response token, [B, T], zero outside the mask; in float32 at least. Only the positions that
 * decide a response token pass the last layer and the vocabulary projection.
 */
export function logprobs(
  model: Decoder,
  sequences: Sequences,
  options: LogprobsOptions,
): { logprobs: Tensor; entropy?: Tensor } {
  const all = logSoftmax(model.logits(model.hidden(sequences.ids, { rows: sequences.before })), options.temperature)
  const chosen = all.gather(1, sequences.targets.unsqueeze(1)).squeeze(1)
  const result = { logprobs: spread(chosen, sequences) }
  if (!options.entropy) return result
  return { ...result, entropy: noGrad(() => spread(entropyOf(all.detach()), sequences)) }
}

/** log softmax(logits / temperature) over the last dimension, computed in float32 at least. */
export function logSoftmax(logits: Tensor, temperature: number): Tensor {
  if (!(temperature > 0 && temperature < Infinity)) {
    throw new RangeError(`temperature: got ${temperature}, expected a positive number`)
  }
  const exact = logits.dtype === 'float64' ? logits : logits.to('float32')
  return (temperature === 1 ? exact : exact.div(temperature)).log_softmax(-1)
}

/** −Σ p log p over the last dimension of log-probabilities; a token of probability 0 adds 0. */
export function entropyOf(logProbabilities: Tensor): Tensor {
  return logProbabilities
    .exp()
    .mul(logProbabilities.clamp({ min: -1e4 }))
    .sum([-1])
    .neg()
}

/** V(s_t) for every response token [B, T], read at the position before a_t is consumed; zero outside the mask. */
export function valuesAt(model: ScalarModel, sequences: Sequences): Tensor {
  return spread(model.scores(sequences.ids, { rows: sequences.before }), sequences)
}

/** r_t for every response token [B, T], read at its own position, after a_t is consumed; zero outside the mask. */
export function rewardsAt(model: ScalarModel, sequences: Sequences): Tensor {
  return spread(model.scores(sequences.ids, { rows: sequences.at }), sequences)
}
