import { devices, memory, noGrad, scope, tensor, uniform } from '@emend/torch'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { adaptedDecoder, createDecoder, type Decoder, type DecoderShape, decoderConfig } from '../models/index.js'
import { PackedWeights } from '../models/packed.js'
import { GenerationEngine } from './engine.js'
import type { Generated, GenerationRequest } from './request.js'
import { draw, PLAIN, penalise, shapedLogprobs } from './sampler.js'

const shape: DecoderShape = { vocabSize: 48, hiddenSize: 16, layers: 2, heads: 4, kvHeads: 2, maxPositions: 40 }
const shapes: Record<string, DecoderShape> = {
  'everything read': shape,
  'a window of 5 in every other layer': { ...shape, slidingWindow: 5, slidingLayers: [true, false] },
  'learned positions, every head its own keys': { ...shape, kvHeads: 4, positions: 'learned' },
}

/** Where a sampled token is a matter of rounding, nothing is asked of it or what follows. */
const NEAR = 1e-4

/** One sample as it is without batch, cache or engine: a pass over everything for each token. `sure` tokens are asked for. */
function alone(model: Decoder, request: GenerationRequest, sample: number): Generated & { sure: number } {
  const shaping = { ...PLAIN, ...request.sampling }
  const ids: number[] = []
  const logprobs: number[] = []
  const room = Math.min(request.maxNewTokens, model.config.maxPositions - request.prompt.length)
  let sure = Infinity
  while (ids.length < room && !request.eos.includes(ids.at(-1)!)) {
    noGrad(() =>
      scope(() => {
        const whole = [...request.prompt, ...ids]
        const input = tensor(Int32Array.from(whole), { shape: [1, whole.length], dtype: 'int64', device: model.device })
        const logits = model.logits(model.hidden(input)).select(1, whole.length - 1)
        const row = shapedLogprobs(penalise(logits, [whole], shaping.repetitionPenalty), shaping)
        const t = ids.length
        const u =
          sample === 0 ? uniform(request.seed, request.request, t) : uniform(request.seed, request.request, t, sample)
        const id = (shaping.temperature === 0 ? row.argmax(-1) : draw(row, [u])).item()
        const values = row.floats()
        const best = [...values].sort((a, b) => b - a)
        let sum = 0
        const edges = Array.from(values, x => (sum += Math.exp(x)))
        const isNear =
          shaping.temperature === 0 ? best[0]! - best[1]! < NEAR : edges.some(edge => Math.abs(edge - u) < NEAR)
        // What a filter lets through may be a matter of rounding too.
        const filtered = values.includes(-Infinity)
        const plain = shapedLogprobs(penalise(logits, [whole], shaping.repetitionPenalty), {
          ...shaping,
          topK: 0,
          topP: 1,
          minP: 0,
        })
        const cut = filtered ? [...plain.floats()].filter((_, i) => values[i] === -Infinity) : []
        const kept = filtered ? [...plain.floats()].filter((_, i) => values[i] !== -Infinity) : [Infinity]
        if (isNear || (filtered && Math.min(...kept) - Math.max(...cut) < NEAR)) sure = Math.min(sure, t)
        ids.push(id)
        logprobs.push(values[id]!)
      }),
    )
  }
  const ended = request.eos.includes(ids.at(-1)!)
  return {
    ids: Int32Array.from(ids),
    logprobs: Float32Array.from(logprobs),
    ended,
    finish: ended ? 'eos' : 'length',
    sure: Math.min(sure, ids.length),
  }
}

const sampling = fc.oneof(
  fc.constant({}),
  fc.constant({ temperature: 0 }),
  fc.record({
    temperature: fc.constantFrom(0.7, 1, 1.3),
    topK: fc.constantFrom(0, 9),
    topP: fc.constantFrom(1, 0.9),
    minP: fc.constantFrom(0, 0.01),
    repetitionPenalty: fc.constantFrom(1, 1.2),
  }),
)
const request = fc.record({
  prompt: fc.array(fc.integer({ min: 0, max: 47 }), { minLength: 1, maxLength: 30 }).map(ids => Int32Array.from(ids)),
  maxNewTokens: fc.integer({ min: 1, max: 20 }),
  eos: fc.constantFrom([], [7], [3, 20, 30]),
  sampling,
  seed: fc.integer({ min: 0, max: 99 }),
  request: fc.integer({ min: 0, max: 99 }),
  n: fc.integer({ min: 1, max: 3 }),
})

describe.each(devices())('the engine on %s', device => {
  const make = (of: DecoderShape = shape) => createDecoder(decoderConfig(of), 3, { device })
  const ids = (...prompt: number[]) => Int32Array.from(prompt)
  const plain = { maxNewTokens: 8, eos: [], seed: 1, request: 0 }

  describe.each(Object.keys(shapes))('%s', name => {
    it('requests that come and go as they please are answered as each alone', () => {
      const model = make(shapes[name])
      fc.assert(
        fc.property(
          fc.array(fc.record({ request, at: fc.integer({ min: 0, max: 12 }) }), { minLength: 1, maxLength: 7 }),
          fc.integer({ min: 1, max: 6 }),
          fc.boolean(),
          (schedule, maxRows, packed) => {
            const engine = new GenerationEngine(model, { maxRows, packed })
            const got = schedule.map(({ request }) => new Array<Generated | undefined>(request.n))
            const told = schedule.map(({ request }) => Array.from({ length: request.n }, () => [] as number[]))
            for (let t = 0; t <= 12 || engine.active + engine.waiting > 0; t++) {
              for (const [i, each] of schedule.entries()) {
                if (each.at !== t) continue
                engine.add({
                  ...each.request,
                  onToken: ({ sample, id }) => void told[i]![sample]!.push(id),
                  onFinish: (sample, result) => {
                    expect(got[i]![sample]).toBeUndefined()
                    got[i]![sample] = result
                  },
                })
              }
              engine.step()
              expect(engine.active).toBeLessThanOrEqual(maxRows)
            }
            engine.dispose()
            for (const [i, { request }] of schedule.entries()) {
              for (let sample = 0; sample < request.n; sample++) {
                const expected = alone(model, request, sample)
                const result = got[i]![sample]!
                const sure = expected.sure
                expect([...result.ids.slice(0, sure)]).toEqual([...expected.ids.slice(0, sure)])
                for (let t = 0; t < sure; t++) {
                  expect(Math.abs(result.logprobs[t]! - expected.logprobs[t]!)).toBeLessThan(1e-4)
                }
                if (sure === expected.ids.length) expect(result.finish).toBe(expected.finish)
                expect(told[i]![sample]).toEqual([...result.ids])
              }
            }
          },
        ),
        { numRuns: 10 },
      )
      model.dispose()
    })
  })

  it('reads a prompt once for all its samples', () => {
    const model = make()
    const passes: (readonly number[])[] = []
    const run = model.model.run.bind(model.model)
    model.model.run = (ids, ...rest) => {
      passes.push(ids.shape)
      return run(ids, ...rest)
    }
    const engine = new GenerationEngine(model)
    engine.add({ ...plain, prompt: ids(5, 6, 7), n: 4, maxNewTokens: 3 })
    while (engine.step());
    expect(passes).toEqual([
      [1, 3],
      [4, 1],
      [4, 1],
    ])
    engine.dispose()
    model.dispose()
  })

  it('stops a sample when told to, and only it', () => {
    const model = make()
    const results: Generated[] = []
    const engine = new GenerationEngine(model)
    engine.add({
      ...plain,
      prompt: ids(5),
      n: 2,
      onToken: ({ sample }) => (sample === 1 && results.length === 0 ? 'stop' : undefined),
      onFinish: (sample, result) => (results[sample] = result),
    })
    while (engine.step());
    expect(results.map(({ ids, finish, ended }) => [ids.length, finish, ended])).toEqual([
      [8, 'length', false],
      [1, 'stop', false],
    ])
    engine.dispose()
    model.dispose()
  })

  it('cancels what waits and what runs, without another word; new requests may come from its calls', () => {
    const model = make()
    const words: string[] = []
    const engine = new GenerationEngine(model, { maxRows: 1 })
    const tell = (name: string) => ({
      onToken: () => void words.push(name),
      onFinish: () => void words.push(`${name}!`),
    })
    const a = engine.add({ ...plain, prompt: ids(1), ...tell('a') })
    const b = engine.add({ ...plain, prompt: ids(2), ...tell('b') })
    engine.add({
      ...plain,
      prompt: ids(3),
      maxNewTokens: 2,
      ...tell('c'),
      onFinish: () => void engine.add({ ...plain, prompt: ids(4), maxNewTokens: 1, ...tell('d') }),
    })
    engine.step()
    expect([engine.active, engine.waiting]).toEqual([1, 2])
    engine.cancel(a)
    engine.cancel(b)
    expect([engine.active, engine.waiting]).toEqual([0, 1])
    while (engine.step());
    expect(words).toEqual(['a', 'c', 'c', 'd', 'd!'])
    expect(engine.step()).toBe(false)
    engine.dispose()
    model.dispose()
  })

  it('holds no more tokens than it may, and refuses what never fits', () => {
    const model = make()
    const engine = new GenerationEngine(model, { maxTokens: 40 })
    for (let i = 0; i < 5; i++) engine.add({ ...plain, prompt: ids(1, 2), request: i })
    const most: number[] = []
    while (engine.step()) most.push(engine.active)
    // Samples of 2 + 8 tokens: four fit in 40.
    expect(Math.max(...most)).toBe(4)
    expect(() => engine.add({ ...plain, prompt: ids(...new Array(33).fill(1)), maxNewTokens: 20 })).not.toThrow()
    const small = new GenerationEngine(model, { maxTokens: 9 })
    expect(() => small.add({ ...plain, prompt: ids(1, 2) })).toThrow(
      'the prompt: 2 tokens and up to 8 new ones do not fit the cache of 9',
    )
    for (const each of [engine, small]) each.dispose()
    model.dispose()
  })

  it('tells the most probable tokens of the distribution that is drawn from', () => {
    const model = make()
    const engine = new GenerationEngine(model)
    let tops = 0
    engine.add({
      ...plain,
      prompt: ids(9, 8),
      sampling: { topK: 3 },
      topLogprobs: 5,
      onToken: ({ id, logprob, top }) => {
        tops++
        expect(top).toHaveLength(3)
        expect(top!.reduce((sum, [, x]) => sum + Math.exp(x), 0)).toBeCloseTo(1, 5)
        expect(top!.find(([each]) => each === id)?.[1]).toBeCloseTo(logprob, 6)
        expect(top!.map(([, x]) => x)).toEqual(top!.map(([, x]) => x).sort((a, b) => b - a))
      },
    })
    while (engine.step());
    expect(tops).toBe(8)
    engine.dispose()
    model.dispose()
  })

  it('frees everything', () => {
    const model = make()
    const run = () => {
      const engine = new GenerationEngine(model, { packed: true })
      for (let i = 0; i < 6; i++) engine.add({ ...plain, prompt: ids(1, 2), request: i, n: 2 })
      for (let t = 0; t < 4; t++) engine.step()
      engine.dispose()
    }
    run()
    const before = memory().tensors
    run()
    expect(memory().tensors).toBe(before)
    model.dispose()
  })

  it('reads one copy of the weights through an adapter: only without one are they packed', () => {
    const packing = vi.spyOn(PackedWeights.prototype, 'use')
    const generated = (model: Decoder) => {
      packing.mockClear()
      const engine = new GenerationEngine(model)
      engine.add({ ...plain, prompt: ids(1, 2), n: 4 })
      while (engine.step());
      engine.dispose()
      return packing.mock.calls.length > 0
    }
    const model = make()
    expect(generated(model)).toBe(PackedWeights.serve(model))
    expect(generated(adaptedDecoder(model, { rank: 2, alpha: 4, targets: ['all-linear'] }, 1))).toBe(false)
    packing.mockRestore()
    model.dispose()
  })

  it.each([
    [{ n: 0 }, 'n: got 0, expected a whole number from 1'],
    [{ topLogprobs: -1 }, 'topLogprobs: got -1, expected a whole number from 0'],
    [{ sampling: { minP: 1.5 } }, 'minP: got 1.5'],
    [{ sampling: { repetitionPenalty: 0 } }, 'repetitionPenalty: got 0'],
  ])('refuses %j', (wrong, message) => {
    const model = make()
    expect(() => new GenerationEngine(model).add({ ...plain, prompt: ids(1), ...wrong })).toThrow(message)
    expect(() => new GenerationEngine(model, { maxRows: 0 })).toThrow('maxRows: got 0')
    model.dispose()
  })
})
