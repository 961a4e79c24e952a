import { noGrad, setNumThreads } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { EOS, logged, plainLogprobs, tinyDecoder, tinyExamples, weights } from '../training/tiny.fixture.js'
import { NonFiniteError } from '../training/trainer.js'
import { responseLogprobs, sft, sftConfig } from './sft.js'

setNumThreads(1)

const mean = (xs: readonly number[]) => xs.reduce((sum, x) => sum + x, 0) / xs.length

describe('sft', () => {
  it('has as its loss −log π a response token, over the tokens of the whole batch', async () => {
    const examples = tinyExamples(12)
    const model = tinyDecoder()
    const logprobs = examples.flatMap(({ prompt, response }) => plainLogprobs(model, prompt, response))
    const config = sftConfig.parse({ batch_size: 12, micro_batch_tokens: 40 })
    const { metrics } = await logged(run => sft(model, examples, config, 1, run))
    // Prompts are masked, EOS counts: a mean over all responses' tokens, not a mean of means.
    expect(logprobs.length).toBe(examples.reduce((sum, { response }) => sum + response.length, 0))
    expect(metrics[0]?.['loss']).toBeCloseTo(-mean(logprobs), 5)
  })

  it('sees every example once an epoch, and anneals its learning rate to 0', async () => {
    const config = sftConfig.parse({ batch_size: 5, epochs: 2, warmup_steps: 2, learning_rate: 0.6 })
    const { metrics } = await logged(run => sft(tinyDecoder(), tinyExamples(10), config, 1, run))
    expect(metrics.map(row => row['epoch'])).toEqual([0.5, 1, 1.5, 2])
    expect(metrics.map(row => Number(row['learning_rate']?.toFixed(9)))).toEqual([0.3, 0.6, 0.6, 0.3])
  })

  it('learns which token follows which: a loss far below the entropy of single tokens', async () => {
    // Responses walk on a circle of six tokens from wherever they start: 4 5 6 7 8 9 4 …
    const examples = tinyExamples(64).map(({ prompt }, i) => ({
      prompt,
      response: Int32Array.of(...Array.from({ length: 7 }, (_, t) => 4 + ((i + t) % 6)), EOS),
    }))
    const counts = new Map<number, number>()
    const tokens = examples.flatMap(({ response }) => [...response])
    for (const id of tokens) counts.set(id, (counts.get(id) ?? 0) + 1)
    const entropy = -mean(tokens.map(id => Math.log((counts.get(id) as number) / tokens.length)))
    // Six tokens and EOS, about 7/48 each and 1/8.
    expect(entropy).toBeCloseTo(1.944, 2)
    for (const seed of [1, 2, 3]) {
      const config = sftConfig.parse({ batch_size: 16, epochs: 10, warmup_steps: 5, learning_rate: 1e-2 })
      const { metrics } = await logged(run => sft(tinyDecoder(seed), examples, config, seed, run))
      expect(metrics[0]?.['loss']).toBeGreaterThan(3)
      expect(metrics.at(-1)?.['loss']).toBeLessThan(1)
    }
  })

  it('stops at a loss that is no number, naming step and samples, with nothing updated', async () => {
    const model = tinyDecoder()
    noGrad(() => model.model.norm.weight.fill_(Number.NaN))
    const before = weights(model)
    const training = sft(model, tinyExamples(3), sftConfig.parse({}), 1)
    await expect(training).rejects.toThrow(NonFiniteError)
    await expect(training).rejects.toThrow(/^sft: the loss is NaN at step 0 in samples [012], [012], [012]$/)
    expect(weights(model)).toEqual(before)
  })

  it.each([1, 2])('responseLogprobs are those of the definition, at temperature %i', temperature => {
    const model = tinyDecoder(5)
    const examples = tinyExamples(9)
    const got = responseLogprobs(
      model,
      examples.map(e => e.prompt),
      examples.map(e => e.response),
      temperature,
    )
    for (const [i, { prompt, response }] of examples.entries()) {
      const expected = plainLogprobs(model, prompt, response, temperature)
      expect(got[i]?.length).toBe(expected.length)
      for (const [t, logprob] of expected.entries()) expect(got[i]?.[t]).toBeCloseTo(logprob, 4)
    }
  })
})
