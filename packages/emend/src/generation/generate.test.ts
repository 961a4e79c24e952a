import { readFileSync } from 'node:fs'
import { devices, memory, noGrad, scope, tensor } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { loadModel } from '../checkpoints/index.js'
import { createDecoder, type Decoder, decoderConfig, logprobs, pack, responseRows } from '../models/index.js'
import { type Generated, generate } from './generate.js'
import { shapedLogprobs } from './sampler.js'

const folder = (name: string) => new URL(`../../goldens/llama/${name}`, import.meta.url).pathname
const config = decoderConfig({ vocabSize: 64, hiddenSize: 32, layers: 2, heads: 4, kvHeads: 2, maxPositions: 64 })
const prompts = [[5, 9, 33, 2], [8], [62, 6, 17, 45, 11, 28, 40], [20, 21, 22], [1, 2, 3, 4]].map(x =>
  Int32Array.from(x),
)
const sampling = { maxNewTokens: 20, eos: [3, 50], seed: 11 }

/** Ids and how each ended; log-probabilities are compared apart, since they may differ in the last bits. */
const texts = (generated: readonly Generated[]) => generated.map(({ ids, finish }) => `${[...ids].join(' ')} ${finish}`)

describe.each(devices())('generate on %s', device => {
  const model = (): Decoder => createDecoder(config, 3, { device })

  it.each(['tied', 'untied'])('greedy continuations equal those of transformers: %s', async name => {
    const { model: golden, config: shape } = await loadModel(folder(name), { device })
    const expected = JSON.parse(readFileSync(`${folder(name)}/greedy.json`, 'utf8')) as {
      prompt: number[]
      continuation: number[]
    }[]
    const got = generate(
      golden,
      expected.map(each => Int32Array.from(each.prompt)),
      { maxNewTokens: 12, temperature: 0, eos: shape.eos, seed: 0 },
    )
    expect(got.map(each => [...each.ids])).toEqual(expected.map(each => each.continuation))
    golden.dispose()
  })

  it('log-probabilities of sampled tokens equal the full forward pass', () => {
    const policy = model()
    for (const temperature of [1, 0.7]) {
      const got = generate(policy, prompts, { ...sampling, temperature })
      const full = scope(() =>
        noGrad(() => {
          const sequences = pack(
            prompts,
            got.map(each => each.ids),
            device,
          )
          return responseRows(logprobs(policy, sequences, { temperature }).logprobs, sequences.lengths)
        }),
      )
      for (const [i, row] of full.entries()) {
        expect(got[i]!.logprobs.length).toBe(row.length)
        for (const [t, logprob] of row.entries()) expect(Math.abs(got[i]!.logprobs[t]! - logprob)).toBeLessThan(1e-5)
      }
    }
    policy.dispose()
  })

  it('under top-k and top-p they are those of the filtered distribution', () => {
    const policy = model()
    const shaping = { temperature: 0.9, topK: 5, topP: 0.8 }
    const [got] = generate(policy, [prompts[0]!], { ...sampling, ...shaping })
    scope(() =>
      noGrad(() => {
        const whole = Int32Array.from([...prompts[0]!, ...got!.ids])
        const ids = tensor(whole, { shape: [1, whole.length], dtype: 'int64', device })
        const shaped = shapedLogprobs(policy.logits(policy.hidden(ids)).select(0, 0), shaping)
        got!.ids.forEach((id, t) => {
          const expected = shaped
            .select(0, prompts[0]!.length + t - 1)
            .select(0, id)
            .item()
          expect(got!.logprobs[t]).toBeCloseTo(expected, 4)
          expect(expected).toBeGreaterThan(-Infinity)
        })
      }),
    )
    policy.dispose()
  })

  it('a text depends neither on the batch, nor on the order, nor on its neighbours', () => {
    const policy = model()
    const together = generate(policy, prompts, sampling)
    expect(new Set(texts(together)).size).toBe(prompts.length)
    expect(together.some(each => each.finish === 'eos')).toBe(true)
    const alone = prompts.flatMap((prompt, i) => generate(policy, [prompt], { ...sampling, requests: [i] }))
    expect(texts(alone)).toEqual(texts(together))
    for (const [i, { logprobs }] of alone.entries()) {
      for (const [t, x] of logprobs.entries()) expect(Math.abs(x - together[i]!.logprobs[t]!)).toBeLessThan(1e-5)
    }
    expect(texts(generate(policy, prompts, { ...sampling, batch: 2 }))).toEqual(texts(together))
    const reversed = generate(policy, [...prompts].reverse(), { ...sampling, requests: [4, 3, 2, 1, 0] })
    expect(texts(reversed.reverse())).toEqual(texts(together))
    const longer = generate(policy, prompts, { ...sampling, maxNewTokens: 30 })
    for (const [i, { ids }] of together.entries()) expect([...longer[i]!.ids.slice(0, ids.length)]).toEqual([...ids])
    policy.dispose()
  })

  it('another seed or another request gives another text; the same prompt twice gives two', () => {
    const policy = model()
    const [a, b] = texts(generate(policy, [prompts[0]!, prompts[0]!], sampling))
    expect(a).not.toBe(b)
    expect(texts(generate(policy, [prompts[0]!], { ...sampling, seed: 12 }))[0]).not.toBe(a)
    policy.dispose()
  })

  it('first of several EOS ends a response and is its last id; others end by length', () => {
    const policy = model()
    const many = Array.from({ length: 40 }, (_, i) => Int32Array.of(1 + (i % 60)))
    const generated = generate(policy, many, sampling)
    const ends = new Set<number>()
    for (const { ids, ended, finish, logprobs } of generated) {
      const first = ids.findIndex(id => sampling.eos.includes(id))
      expect(logprobs.length).toBe(ids.length)
      expect(ended).toBe(finish === 'eos')
      if (ended) {
        expect(first).toBe(ids.length - 1)
        ends.add(ids[first]!)
      } else {
        expect(first).toBe(-1)
        expect(ids.length).toBe(20)
      }
    }
    expect([...ends].sort()).toEqual([3, 50])
    policy.dispose()
  })

  it('ends by length where the context is full, and refuses a prompt that leaves no room', () => {
    const policy = model()
    const long = (n: number) => Int32Array.from({ length: n }, (_, i) => i % 60)
    const [full, short] = generate(policy, [long(60), long(4)], { maxNewTokens: 20, eos: [], seed: 1 })
    expect([full!.ids.length, full!.finish, short!.ids.length]).toEqual([4, 'length', 20])
    expect(() => generate(policy, [long(3), long(64)], sampling)).toThrow(
      "prompt 1 has 64 tokens: the model's context of 64 leaves no room for a reply",
    )
    expect(() => generate(policy, [new Int32Array(0)], sampling)).toThrow('prompt 0 is empty')
    policy.dispose()
  })

  it('never draws an id beyond the tokenizer', () => {
    const policy = model()
    policy.vocabulary = 8
    const ids = generate(policy, prompts, { ...sampling, eos: [] }).flatMap(each => [...each.ids])
    expect(Math.max(...ids)).toBe(7)
    policy.dispose()
  })

  it('frees what it made, and reports progress', () => {
    const policy = model()
    generate(policy, prompts, sampling)
    const before = memory().tensors
    const seen: number[] = []
    const generated = generate(policy, prompts, {
      ...sampling,
      batch: 2,
      onProgress: ({ tokens }) => seen.push(tokens),
    })
    expect(memory().tensors).toBe(before)
    expect(seen.at(-1)).toBe(generated.reduce((sum, { ids }) => sum + ids.length, 0))
    policy.dispose()
  })

  it.each([
    [{ temperature: -1 }, 'temperature: got -1'],
    [{ topK: 1.5 }, 'topK: got 1.5'],
    [{ topP: 0 }, 'topP: got 0'],
    [{ maxNewTokens: 0 }, 'maxNewTokens: got 0'],
    [{ requests: [1] }, 'requests: got 1, expected one for each of the 5 prompts'],
  ])('refuses %j', (wrong, message) => {
    const policy = model()
    expect(() => generate(policy, prompts, { ...sampling, ...wrong })).toThrow(message)
    policy.dispose()
  })
})
