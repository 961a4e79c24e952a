import { memory, noGrad, setNumThreads } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { type Decoder, scalarFrom } from '../models/index.js'
import type { PaidReward } from '../rewards/paid.js'
import { Run } from '../training/run.js'
import {
  EOS,
  goodShare,
  logged,
  plainLogprobs,
  plainScores,
  type Rollout,
  tinyDecoder,
  tinyParts,
  tinyPpo,
  tinyPrompts,
  weights,
} from '../training/tiny.fixture.js'
import { NonFiniteError } from '../training/trainer.js'
import { type PpoConfig, type PpoParts, ppo, ppoConfig } from './ppo.js'

setNumThreads(1)

const sum = (xs: readonly number[]) => xs.reduce((total, x) => total + x, 0)
const mean = (xs: readonly number[]) => sum(xs) / xs.length
const train = (config: Partial<PpoConfig>, parts: PpoParts = tinyParts(), seed = 1) =>
  logged(run => ppo(parts, tinyPpo(config), seed, run))
/** One update a rollout batch, on all of it at once. */
const whole: Partial<PpoConfig> = { steps: 1, minibatch_size: 8 }
const nothing: PaidReward = ({ responses }) => responses.map(({ ids }) => new Float32Array(ids.length))
/** A policy that ends a response at once in a while: several ids are EOS. */
const endings = [1, 2, 3, 10, 11]
const often = () => tinyDecoder(1, { eos: endings })

describe('sampling', () => {
  it('counts in the memory that is measured: its cache may be more than any optimizer step takes', async () => {
    const lines: string[] = []
    // Numbers of keys and values: 2 × 2 layers × 32 rows × 512 columns of 32 are 8.4 MB; a step takes 2 samples at once.
    const policy = tinyDecoder(1, { eos: [], maxPositions: 520, heads: 1, kvHeads: 1, hiddenSize: 32, layers: 2 })
    const config = tinyPpo({ steps: 1, rollouts: 32, minibatch_size: 32, max_new_tokens: 500, micro_batch_tokens: 512 })
    const before = memory().bytes
    await ppo(tinyParts(policy), config, 1, new Run({ onLine: line => lines.push(line) }))
    const [, measured] = /measured at ([\d.]+) GB/.exec(lines.at(-1)!)!
    expect(Number(measured) * 1e9 - before).toBeGreaterThan(8.4e6)
  })

  it.each([0.5, 1, 2])(
    "at temperature %f the log-probabilities, the reference's too, are those of logits / temperature",
    async temperature => {
      const [policy, reference] = [tinyDecoder(1), tinyDecoder(2)]
      const parts = tinyParts(policy, { reference })
      const before = tinyDecoder(1)
      const { rollouts } = await train({ ...whole, temperature }, parts)
      expect(rollouts.length).toBe(8)
      for (const { prompt_index, response_ids, logprobs, ref_logprobs } of rollouts) {
        const prompt = parts.prompts[prompt_index] as Int32Array
        const expected = [before, reference].map(model => plainLogprobs(model, prompt, response_ids, temperature))
        for (const [t, x] of logprobs.entries()) {
          expect(x).toBeCloseTo(expected[0]?.[t] as number, 4)
          expect(ref_logprobs[t]).toBeCloseTo(expected[1]?.[t] as number, 4)
        }
      }
    },
  )

  it('has no filters: settings that would bias the ratios are refused by name', () => {
    expect(() => ppoConfig.parse({ top_p: 0.9 })).toThrow('top_p')
    expect(() => ppoConfig.parse({ top_k: 50 })).toThrow('top_k')
  })

  it('passes ids in and ids out: texts play no part, and the reward gets what was sampled', async () => {
    const seen: { index: number; prompt: Int32Array; ids: Int32Array; ended: boolean }[] = []
    const spy: PaidReward = batch => {
      for (const [i, { ids, ended }] of batch.responses.entries()) {
        seen.push({ index: batch.indices[i] as number, prompt: batch.prompts[i] as Int32Array, ids, ended })
      }
      return goodShare(batch)
    }
    const parts = tinyParts(tinyDecoder(), { reward: spy })
    const { rollouts } = await train({ steps: 2 }, parts)
    expect(rollouts.map(({ prompt_index, response_ids, ended }) => [prompt_index, response_ids, ended])).toEqual(
      seen.map(({ index, ids, ended }) => [index, [...ids], ended]),
    )
    for (const { index, prompt } of seen) expect(prompt).toBe(parts.prompts[index])
    // A decoder of ids that loses everything changes nothing.
    const garbling = tinyParts(tinyDecoder(), { decode: () => '?' })
    await train({ steps: 2 }, garbling)
    expect(weights(garbling.policy)).toEqual(weights(parts.policy))
  })

  it('ends a response at the first of several EOS, which counts as its last token', async () => {
    const { rollouts, metrics } = await train({ steps: 3, rollouts: 16, logged_rollouts: 16 }, tinyParts(often()))
    for (const { response_ids, ended, logprobs, token_rewards } of rollouts) {
      const first = response_ids.findIndex(id => endings.includes(id))
      expect(first).toBe(ended ? response_ids.length - 1 : -1)
      if (!ended) expect(response_ids.length).toBe(8)
      expect([logprobs.length, token_rewards.length]).toEqual([response_ids.length, response_ids.length])
    }
    const ended = rollouts.filter(rollout => rollout.ended)
    expect(new Set(ended.map(({ response_ids }) => response_ids.at(-1))).size).toBeGreaterThan(2)
    for (const { step, ...row } of metrics) {
      const share = ended.filter(rollout => rollout.step === step).length / 16
      expect(row['objective/fraction_ended']).toBe(share)
      expect(row['val/num_eos_tokens']).toBe(16 * share)
      expect(row['response_length/clip_ratio']).toBe(1 - share)
    }
  })

  it('masks by length, never by id: PAD may be EOS, and EOS may stand in a prompt', async () => {
    const prompts = tinyPrompts(10).map(prompt => Int32Array.of(EOS, ...prompt, EOS))
    const outcomes = []
    for (const pad of [null, EOS, 0]) {
      const parts = tinyParts(tinyDecoder(1, { pad, eos: [EOS, 2, 3] }), { prompts })
      const { rollouts } = await train({ steps: 2, epochs: 2 }, parts)
      outcomes.push({ rollouts, weights: weights(parts.policy), values: weights(parts.value) })
    }
    expect(outcomes[0]?.rollouts.some(({ ended }) => ended)).toBe(true)
    expect(outcomes[1]).toEqual(outcomes[0])
    expect(outcomes[2]).toEqual(outcomes[0])
  })
})

describe('rewards', () => {
  // No reward, no KL, V = 0 and γ = λ = 1: every token of a response is worth the penalty or nothing, and nothing is
  // bootstrapped where it was cut off. The value loss is ½ mean(R²).
  it.each([-1, -3])('a missing EOS costs %i at the last token', async missing_eos_penalty => {
    const config = { ...whole, rollouts: 16, minibatch_size: 16, kl_coef: 0, lambda: 1, missing_eos_penalty }
    const { rollouts, metrics } = await train(config, tinyParts(often(), { reward: nothing }))
    const tokens = (of: readonly Rollout[]) => sum(of.map(({ response_ids }) => response_ids.length))
    const cut = rollouts.filter(({ ended }) => !ended)
    expect(cut.length).toBeGreaterThan(2)
    expect(cut.length).toBeLessThan(14)
    const expected = (0.5 * missing_eos_penalty ** 2 * tokens(cut)) / tokens(rollouts)
    expect(metrics[0]?.['loss/value_avg']).toBeCloseTo(expected, 6)
    // The penalty is no part of what was paid.
    expect(metrics[0]?.['objective/scores']).toBe(0)
  })

  // With γ = λ = 0 and V = 0 the returns are the rewards. Whitened, their variance is 1 and their mean stays: the mean square
  // is 1 + μ².
  it('whitened, keep their mean', async () => {
    const config = { ...whole, kl_coef: 0, missing_eos_penalty: 0, gamma: 0, lambda: 0 }
    const { metrics } = await train({ ...config, whiten_rewards: true })
    const paid = metrics[0]?.['objective/token_reward'] as number
    expect(paid).toBeGreaterThan(0.01)
    expect(metrics[0]?.['loss/value_avg']).toBeCloseTo((1 + paid ** 2) / 2, 4)
    const plain = await train(config)
    const squares = plain.rollouts.flatMap(({ token_rewards }) => token_rewards.map(r => r ** 2))
    expect(plain.metrics[0]?.['loss/value_avg']).toBeCloseTo(mean(squares) / 2, 6)
  })

  it('are worth Σ of what is paid later minus V before the token, and the losses are means over all tokens', async () => {
    const policy = tinyDecoder(1)
    const value = scalarFrom(policy, 4)
    const before = scalarFrom(policy, 4)
    const parts = tinyParts(policy, { reference: tinyDecoder(2), value })
    const config = { ...whole, kl_coef: 0.3, lambda: 1, whiten_advantages: false, micro_batch_tokens: 30 }
    const { rollouts, metrics } = await train(config, parts)
    const advantages = rollouts.flatMap(
      ({ prompt_index, response_ids, ended, logprobs, ref_logprobs, values, token_rewards }) => {
        const prompt = parts.prompts[prompt_index] as Int32Array
        // V(s_t) is read where the token before stands: of prompt and response but the last, the last T.
        const read = plainScores(before, prompt.slice(0, -1), [...prompt.slice(-1), ...response_ids.slice(0, -1)])
        for (const [t, v] of values.entries()) expect(v).toBeCloseTo(read[t] as number, 4)
        const rewards = token_rewards.map(
          (paid, t) => paid - 0.3 * ((logprobs[t] as number) - (ref_logprobs[t] as number)),
        )
        if (!ended) rewards[rewards.length - 1] = (rewards.at(-1) as number) - 1
        return values.map((v, t) => sum(rewards.slice(t)) - v)
      },
    )
    expect(metrics[0]?.['loss/policy_avg']).toBeCloseTo(-mean(advantages), 4)
    expect(metrics[0]?.['loss/value_avg']).toBeCloseTo(mean(advantages.map(a => a ** 2)) / 2, 4)
    const whitened = await train(
      { ...config, whiten_advantages: true },
      tinyParts(tinyDecoder(1), { reference: tinyDecoder(2), value: scalarFrom(tinyDecoder(1), 4) }),
    )
    expect(whitened.metrics[0]?.['loss/policy_avg']).toBeCloseTo(0, 5)
  })

  it('and what is reported of them are those of the rollouts', async () => {
    const parts = tinyParts(tinyDecoder(1), { reference: tinyDecoder(2) })
    const { rollouts, metrics } = await train({ steps: 2, kl_coef: 0.25 }, parts)
    for (const { step, ...row } of metrics) {
      const samples = rollouts.filter(rollout => rollout.step === step)
      const scores = samples.map(({ token_rewards }) => sum(token_rewards))
      const logRatios = samples.map(({ logprobs, ref_logprobs }) =>
        logprobs.map((x, t) => x - (ref_logprobs[t] as number)),
      )
      const tokens = sum(samples.map(({ response_ids }) => response_ids.length))
      const expected = {
        'objective/scores': mean(scores),
        'objective/token_reward': sum(scores) / tokens,
        'objective/kl': mean(logRatios.map(sum)),
        'objective/kl_k3': mean(logRatios.map(row => sum(row.map(d => Math.exp(-d) - 1 + d)))),
        'objective/kl_coef': 0.25,
        'objective/non_score_reward': -0.25 * mean(logRatios.map(sum)),
        'objective/rlhf_reward': mean(scores) - 0.25 * mean(logRatios.map(sum)),
        'objective/entropy': -mean(samples.map(({ logprobs }) => sum(logprobs))),
        'response_length/mean': tokens / 8,
        episode: 8 * (step + 1),
      }
      for (const [name, x] of Object.entries(expected)) expect(row[name], name).toBeCloseTo(x, 4)
      for (const [i, { reward, kl }] of samples.entries()) {
        expect(reward).toBeCloseTo(scores[i] as number, 4)
        expect(kl).toBeCloseTo(sum(logRatios[i] as number[]), 3)
      }
    }
    // Two models that differ are apart by more than a nat.
    expect(metrics[0]?.['objective/kl']).toBeGreaterThan(1)
  })

  it('leave the KL coefficient to its controller', async () => {
    const config = { steps: 4, kl_coef: 0.5, kl_target: 2, kl_horizon: 100 }
    const { metrics } = await train(config, tinyParts(tinyDecoder(1), { reference: tinyDecoder(2) }))
    // β ← β (1 + clip(kl / target − 1, ±0.2) · samples / horizon), for the step after
    let beta = 0.5
    for (const row of metrics) {
      expect(row['objective/kl_coef']).toBeCloseTo(beta, 9)
      beta *= 1 + (Math.min(0.2, Math.max(-0.2, (row['objective/kl'] as number) / 2 - 1)) * 8) / 100
    }
    expect(beta).not.toBeCloseTo(0.5, 3)
  })
})

describe('learning', () => {
  it('starts every rollout batch at ratio 1: sampling and training agree on log-probabilities', async () => {
    const config = { ...whole, steps: 5, temperature: 1.3, learning_rate: 1e-2, max_new_tokens: 20 }
    const { metrics } = await train(config, tinyParts(often()))
    for (const row of metrics) {
      expect(Math.abs((row['val/ratio'] as number) - 1)).toBeLessThan(1e-4)
      expect(row['val/ratio_var']).toBeLessThan(1e-6)
      expect(row['policy/approxkl_avg']).toBeLessThan(1e-8)
      expect([row['policy/clipfrac_avg'], row['val/clipfrac_avg']]).toEqual([0, 0])
    }
  })

  it('tells how far the second epoch is from the policy that sampled', async () => {
    const config = { ...whole, learning_rate: 3e-2, temperature: 0.8 }
    // What the policy is in the second epoch is what one epoch makes of it.
    const once = tinyParts()
    const { rollouts } = await train(config, once)
    const { metrics } = await train({ ...config, epochs: 2 })
    const ratios = rollouts.flatMap(({ prompt_index, response_ids, logprobs }) => {
      const now = plainLogprobs(once.policy, once.prompts[prompt_index] as Int32Array, response_ids, 0.8)
      return now.map((x, t) => Math.exp(x - (logprobs[t] as number)))
    })
    const apart = ratios.filter(ratio => Math.abs(ratio - 1) > 0.2).length / ratios.length
    expect(apart).toBeGreaterThan(0.1)
    const row = metrics[0] as Record<string, number>
    // Averages of two minibatches, the first of which is at ratio 1.
    expect(row['val/ratio']).toBeCloseTo((1 + mean(ratios)) / 2, 4)
    expect(row['val/ratio_var']).toBeCloseTo((mean(ratios.map(r => r ** 2)) - mean(ratios) ** 2) / 2, 4)
    expect(row['policy/clipfrac_avg']).toBeCloseTo(apart / 2, 6)
    expect(row['policy/approxkl_avg']).toBeCloseTo(mean(ratios.map(r => Math.log(r) ** 2 / 2)) / 2, 4)
  })

  it('stops on a rollout batch once it is further from the old policy than kl_stop', async () => {
    const config = { steps: 3, epochs: 4, learning_rate: 3e-2, warmup_steps: 2 }
    const updates = async (kl_stop: number | null) => {
      const { state, metrics } = await train({ ...config, kl_stop })
      return {
        made: state['policyTrainer']?.['optimizer'],
        value: state['valueTrainer']?.['optimizer'],
        lr: metrics.map(row => row['lr'] as number),
      }
    }
    // Three batches, four epochs of two minibatches each.
    expect(await updates(null)).toMatchObject({ made: 24, value: 24 })
    expect(await updates(100)).toMatchObject({ made: 24 })
    // The first minibatch is at distance 0 and moves the policy, the second one sees that.
    const stopped = await updates(1e-4)
    expect(stopped).toMatchObject({ made: 6, value: 6 })
    // 24 steps of the schedule pass all the same: updates 1, 9 and 17 are the last ones made.
    expect(stopped.lr.map(lr => lr / 3e-2)).toEqual([2 / 2, 1 - 7 / 22, 1 - 15 / 22].map(x => expect.closeTo(x, 9)))
  })

  it('counts the KL to the reference for nothing in kl_stop', async () => {
    const parts = tinyParts(tinyDecoder(1), { reference: tinyDecoder(2) })
    const { state, metrics } = await train({ steps: 2, epochs: 2, learning_rate: 1e-5, kl_stop: 0.01 }, parts)
    expect(metrics[0]?.['objective/kl']).toBeGreaterThan(1)
    expect(state['policyTrainer']?.['optimizer']).toBe(8)
  })

  it('anneals the learning rate to 0 after its warm-up', async () => {
    // 8 updates, two a step; after those of the warm-up the rest of the way to 0 is 6.
    const { metrics, state } = await train({ steps: 4, warmup_steps: 2, learning_rate: 0.006 })
    expect(metrics.map(row => row['lr'])).toEqual([0.006, 0.005, 0.003, 0.001].map(lr => expect.closeTo(lr, 12)))
    expect(state['policyTrainer']).toEqual({ steps: 8, optimizer: 8 })
  })

  it('in the warm-up of the value model leaves the policy alone, and then anneals it all the way', async () => {
    const only = tinyParts()
    const warm = await train({ steps: 2, value_warmup_steps: 2 }, only)
    expect(weights(only.policy)).toEqual(weights(tinyDecoder()))
    expect(weights(only.value)).not.toEqual(weights(tinyParts().value))
    expect(Object.keys(warm.metrics[0] as object).filter(name => /^(policy|loss\/policy|lr)/.test(name))).toEqual([])
    const then = tinyParts()
    const { metrics, state } = await train({ steps: 4, value_warmup_steps: 1, learning_rate: 0.006 }, then)
    expect(metrics.map(row => row['lr'])).toEqual([
      undefined,
      ...[5 / 6, 3 / 6, 1 / 6].map(x => expect.closeTo(0.006 * x, 12)),
    ])
    expect(state).toMatchObject({ policyTrainer: { steps: 6 }, valueTrainer: { steps: 8 } })
    expect(weights(then.policy)).not.toEqual(weights(tinyDecoder()))
  })

  it('leaves the reference as it is, and evaluates when it is due', async () => {
    const asked: number[] = []
    const parts = tinyParts(tinyDecoder(), { evaluate: policy => ({ win_rate: asked.push(policy.config.layers) }) })
    const { metrics } = await train({ steps: 5, evaluate_every: 2 }, parts)
    expect(weights(parts.reference)).toEqual(weights(tinyDecoder()))
    expect(metrics.map(row => row['win_rate'])).toEqual([undefined, 1, undefined, 2, 3])
  })

  const toy = (seed: number, kl_coef: number) =>
    train(
      {
        steps: 20,
        rollouts: 64,
        minibatch_size: 32,
        learning_rate: 1e-2,
        value_learning_rate: 1e-2,
        kl_coef,
        missing_eos_penalty: 0,
      },
      tinyParts(tinyDecoder(seed, { hiddenSize: 32, intermediateSize: 64 })),
      seed,
    )

  // Six tokens of 32 pay, at the end of the response. Measured: 0.15–0.18 in the first step, 0.99 in the last.
  it.each([1, 2, 3])('finds the tokens that pay, seed %i', async seed => {
    const { metrics } = await toy(seed, 0.01)
    const scores = metrics.map(row => row['objective/scores'] as number)
    expect(scores[0]).toBeLessThan(0.3)
    expect(mean(scores.slice(-3))).toBeGreaterThan(0.85)
    expect(metrics.at(-1)?.['val/explained_var']).toBeGreaterThan(0.1)
  })

  // Measured: 16.7 nats at β = 0.01, 1.2 at β = 1.
  it('is held near the reference by β', async () => {
    const nats = async (kl_coef: number) => (await toy(1, kl_coef)).metrics.at(-1)?.['objective/kl']
    expect(await nats(0.01)).toBeGreaterThan(8)
    expect(await nats(1)).toBeLessThan(3)
  })
})

describe('numbers that are none stop it before anything is updated:', () => {
  const broken = (model: { model: Decoder['model'] }) => noGrad(() => model.model.norm.weight.fill_(Number.NaN))
  it.each<[string, (parts: PpoParts) => Partial<PpoParts> | undefined, string]>([
    ['policy', parts => void broken(parts.policy), 'ppo: logprobs is NaN at token 0 of the response to prompt'],
    [
      'reference',
      parts => void broken(parts.reference),
      'ppo: refLogprobs is NaN at token 0 of the response to prompt',
    ],
    ['value model', parts => void broken(parts.value), 'ppo: values is NaN at token 0 of the response to prompt'],
    [
      'reward',
      () => ({ reward: batch => goodShare(batch).map(row => row.fill(Number.POSITIVE_INFINITY, -1)) }),
      'ppo: paid is Infinity at token',
    ],
  ])('of the %s', async (_, break_, message) => {
    let parts = tinyParts()
    parts = { ...parts, ...break_(parts) }
    const before = [weights(parts.policy), weights(parts.value)]
    const training = ppo(parts, tinyPpo(), 1)
    await expect(training).rejects.toThrow(NonFiniteError)
    await expect(training).rejects.toThrow(message)
    await expect(training).rejects.toThrow(/step 0$/)
    expect([weights(parts.policy), weights(parts.value)]).toEqual(before)
  })
})
