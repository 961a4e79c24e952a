/** What a policy, a reward model and a value model say about response tokens they are shown. */

import { noGrad, scope, type Tensor, torch } from '@emend/torch'
import type { Decoder } from './decoder.js'
import type { ScalarModel } from './heads.js'
import { recomputed } from './recompute.js'
import { type Sequences, spread } from './sequences.js'

export interface LogprobsOptions {
  /** divides the logits, when sampling and here alike; above 0 */
  readonly temperature: number
  /** also the entropy of each token's distribution, in nats, detached */
  readonly entropy?: boolean
}

/** Bytes of the logits that exist at one time, in float32. */
const LOGIT_BYTES = 64 * 2 ** 20

/** Rows of the vocabulary projection that are computed at one time. */
export const logitRows = (vocabulary: number): number => Math.max(1, Math.floor(LOGIT_BYTES / (4 * vocabulary)))

/**
 * log π(a_t | s_t) of every response token, [B, T], zero outside the mask; in float32 at least. Only the positions that
 * decide a response token pass the last layer and the vocabulary projection, some rows at a time: no more than 64 MB of
 * logits exist at once, with gradients too where a `Tape` is recording.
 */
export function logprobs(
  model: Decoder,
  sequences: Sequences,
  options: LogprobsOptions,
): { logprobs: Tensor; entropy?: Tensor } {
  const { tokens, before, targets } = sequences
  const hidden = model.hidden(sequences.ids, { rows: before })
  const atOnce = logitRows(model.vocabulary)
  const chosen: Tensor[] = []
  const entropies: Tensor[] = []
  for (let start = 0; start < tokens; start += atOnce) {
    const rows = Math.min(atOnce, tokens - start)
    const read = (x: Tensor, again: boolean): readonly [Tensor, ...Tensor[]] => {
      // In a scope, so that only the last of the three tables of logits is held.
      const all = scope(() => logSoftmax(model.logits(x.narrow(0, start, rows)), options.temperature))
      const picked = all.gather(1, targets.narrow(0, start, rows).unsqueeze(1)).squeeze(1)
      return options.entropy && !again ? [picked, noGrad(() => entropyOf(all.detach()))] : [picked]
    }
    // One piece is kept as it is: replaying it would only cost time.
    const [picked, entropy] = tokens <= atOnce ? read(hidden, false) : recomputed(read, hidden)
    chosen.push(picked)
    if (entropy) entropies.push(entropy)
  }
  const joined = (pieces: Tensor[]) => spread(pieces.length === 1 ? pieces[0]! : torch.cat(pieces, 0), sequences)
  const result = { logprobs: joined(chosen) }
  return options.entropy ? { ...result, entropy: noGrad(() => joined(entropies)) } : result
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
