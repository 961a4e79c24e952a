/** One rollout batch: what the policy said, what it was paid, what that was worth. Nothing here carries a gradient. */
import { EmendError } from '../../errors.js'
import { NonFiniteError } from '../../training/trainer.js'
import { gae, whiten } from '../advantages.js'
import { k1 } from '../kl.js'

/** A sampled response and what the models say of it; every array is [T]. */
export interface Sample {
  /** Place of the prompt in the prompt set. */
  readonly index: number
  readonly prompt: Int32Array
  readonly response: Int32Array
  readonly ended: boolean
  readonly logprobs: Float32Array
  readonly refLogprobs: Float32Array
  /** V(s_t), read before a_t is consumed. */
  readonly values: Float32Array
  /** The reward at every token, before KL. */
  readonly paid: Float32Array
}

export interface Trajectory extends Sample {
  /** paid − β·kl, and the penalty of a missing EOS on the last token. */
  readonly rewards: Float32Array
  readonly kl: Float32Array
  /** Whitened over the whole batch, when asked. */
  readonly advantages: Float32Array
  readonly returns: Float32Array
}

export interface Shaping {
  readonly kl_coef: number
  /** Added to the last token's reward when the response did not end. */
  readonly missing_eos_penalty: number
  readonly gamma: number
  readonly lambda: number
  /** Whitens the rewards, keeping their mean. */
  readonly whiten_rewards: boolean
  readonly whiten_advantages: boolean
}

/** reward_t = paid_t − β·kl_t (+ the missing-EOS penalty at the last token). Arrays [T]. */
export function shapedRewards(
  sample: Pick<Sample, 'paid' | 'ended'>,
  kl: Float32Array,
  shaping: Shaping,
): Float32Array {
  const rewards = sample.paid.map((paid, t) => paid - shaping.kl_coef * (kl[t] as number))
  const last = rewards.length - 1
  if (!sample.ended) rewards[last] = (rewards[last] as number) + shaping.missing_eos_penalty
  return rewards
}

/**
 * Rewards, advantages and returns of a rollout batch.
 *
 * @throws NonFiniteError naming the step, the quantity and the prompt's index
 */
export function trajectories(samples: readonly Sample[], shaping: Shaping, step: number): Trajectory[] {
  for (const sample of samples) refuseNonFinite(sample, step)
  const kls = samples.map(sample => k1(sample.logprobs, sample.refLogprobs))
  const shaped = samples.map((sample, i) => shapedRewards(sample, kls[i] as Float32Array, shaping))
  const rewards = shaping.whiten_rewards ? whiten(shaped, { keepMean: true }) : shaped
  const estimates = samples.map((sample, i) =>
    gae(rewards[i] as Float32Array, sample.values, shaping.gamma, shaping.lambda),
  )
  const raw = estimates.map(estimate => estimate.advantages)
  const advantages = shaping.whiten_advantages ? whiten(raw, { keepMean: false }) : raw
  return samples.map((sample, i) => ({
    ...sample,
    kl: kls[i] as Float32Array,
    rewards: rewards[i] as Float32Array,
    advantages: advantages[i] as Float32Array,
    returns: (estimates[i] as { returns: Float32Array }).returns,
  }))
}

function refuseNonFinite(sample: Sample, step: number): void {
  if (sample.response.length === 0)
    throw new EmendError(`ppo: the response to prompt ${sample.index} is empty at step ${step}`)
  for (const name of ['logprobs', 'refLogprobs', 'values', 'paid'] as const) {
    const t = sample[name].findIndex(x => !Number.isFinite(x))
    if (t >= 0) {
      throw new NonFiniteError(
        `ppo: ${name} is ${sample[name][t]} at token ${t} of the response to prompt ${sample.index}, step ${step}`,
      )
    }
  }
}
