import { readFileSync } from 'node:fs'
import { devices, randomNormal, scope, type Tensor, tensor, uniform } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { draw, PLAIN, penalise, type Shaping, sample, shapedLogprobs } from './sampler.js'

const probabilities = [0.1, 0.4, 0.2, 0.3]
const plain = { temperature: 1, topK: 0, topP: 1 }

function close(got: Tensor, expected: readonly number[]): void {
  const values = got.exp().floats()
  for (const [i, p] of expected.entries()) expect(values[i]).toBeCloseTo(p, 5)
}

describe.each(devices())('the distribution tokens are drawn from, on %s', device => {
  const logits = () =>
    tensor(
      probabilities.map(p => Math.log(p) + 3),
      { shape: [1, 4], device },
    )

  it('is the softmax without filters', () => scope(() => close(shapedLogprobs(logits(), plain), probabilities)))

  it('temperature ½ squares the odds: 1, 16, 4, 9 of 30', () =>
    scope(() => close(shapedLogprobs(logits(), { ...plain, temperature: 0.5 }), [1 / 30, 16 / 30, 4 / 30, 9 / 30])))

  it('top-k keeps the k most probable: 4/7 and 3/7', () =>
    scope(() => {
      close(shapedLogprobs(logits(), { ...plain, topK: 2 }), [0, 4 / 7, 0, 3 / 7])
      close(shapedLogprobs(logits(), { ...plain, topK: 9 }), probabilities)
    }))

  // Mass before each, most probable first: 0, 0.4, 0.7, 0.9.
  it.each([
    [0.01, [0, 1, 0, 0]],
    [0.39, [0, 1, 0, 0]],
    [0.41, [0, 4 / 7, 0, 3 / 7]],
    [0.71, [0, 4 / 9, 2 / 9, 3 / 9]],
    [0.95, probabilities],
  ])('top-p %d keeps tokens until their mass reaches it', (topP, expected) =>
    scope(() => close(shapedLogprobs(logits(), { ...plain, topP }), expected)),
  )

  it('filters in the order temperature, top-k, top-p', () =>
    scope(() => {
      // squared odds 1, 16, 4, 9; the first three renormalised: 16/29, 9/29, 4/29; mass before the third 25/29 = 0.862
      const shaped = shapedLogprobs(logits(), { temperature: 0.5, topK: 3, topP: 0.85 })
      close(shaped, [0, 16 / 25, 0, 9 / 25])
    }))

  it('min-p keeps what is at least so likely as the most likely times p: 0.4 · 0.6 = 0.24', () =>
    scope(() => close(shapedLogprobs(logits(), { minP: 0.6 }), [0, 4 / 7, 0, 3 / 7])))

  it('a penalty of 2 halves positive logits of what was seen, and doubles negative ones', () =>
    scope(() => {
      const seen = [[0, 3, 0], [2]]
      const rows = [
        [4, 4, 4, -4],
        [4, 4, -4, -4],
      ]
      expect(penalise(tensor(rows, { device }), seen, 2).tolist()).toEqual([
        [2, 4, 4, -8],
        [4, 4, -8, -4],
      ])
    }))

  const golden = JSON.parse(
    readFileSync(new URL('../../goldens/generation/shaping.json', import.meta.url), 'utf8'),
  ) as { logits: number[][]; seen: number[][]; cases: { shaping: Partial<Shaping>; logprobs: (number | null)[][] }[] }

  it.each(golden.cases)('equals that of transformers: $shaping', ({ shaping, logprobs }) =>
    scope(() => {
      const penalised = penalise(tensor(golden.logits, { device }), golden.seen, shaping.repetitionPenalty ?? 1)
      for (const [i, row] of (shapedLogprobs(penalised, shaping).tolist() as number[][]).entries()) {
        for (const [id, expected] of logprobs[i]!.entries()) {
          if (expected === null) expect(row[id]).toBe(-Infinity)
          else expect(row[id]).toBeCloseTo(expected, 4)
        }
      }
    }),
  )

  it('rows of several shapings in one batch are drawn as each alone', () =>
    scope(() => {
      const rows = golden.cases.flatMap(({ shaping }, c) =>
        golden.seen.map((seen, i) => ({
          logits: golden.logits[i]!,
          expected: golden.cases[c]!.logprobs[i]!,
          draw: { shaping: { ...PLAIN, ...shaping }, u: uniform(3, c, i), seen: () => seen, top: c % 4 },
        })),
      )
      const drawn = sample(
        tensor(
          rows.map(row => row.logits),
          { device },
        ),
        rows.map(row => row.draw),
      )
      for (const [r, { expected, draw }] of rows.entries()) {
        // The first token at which the golden distribution's running sum passes u.
        let sum = 0
        const id = expected.findIndex(x => (sum += Math.exp(x ?? -Infinity)) > draw.u)
        expect(drawn[r]!.id).toBe(id)
        expect(drawn[r]!.logprob).toBeCloseTo(expected[id]!, 4)
        const best = expected
          .map((logprob, id) => [id, logprob] as const)
          .filter(([, logprob]) => logprob !== null)
          .sort((a, b) => b[1]! - a[1]!)
          .slice(0, draw.top)
        expect(drawn[r]!.top.map(([id]) => id)).toEqual(best.map(([id]) => id))
        for (const [k, [, logprob]] of drawn[r]!.top.entries()) expect(logprob).toBeCloseTo(best[k]![1]!, 4)
      }
    }))

  it('the inverse of the cumulative distribution: 0.1, 0.5, 0.7, 1', () =>
    scope(() => {
      const us = [0, 0.0999, 0.1001, 0.4999, 0.5001, 0.6999, 0.7001, 1 - 2 ** -53]
      const rows = shapedLogprobs(logits(), plain).expand([us.length, 4])
      expect(Array.from(draw(rows, us).ints())).toEqual([0, 0, 1, 1, 2, 2, 3, 3])
    }))

  it('never draws a token that was filtered out, at either end of u', () =>
    scope(() => {
      const shaped = shapedLogprobs(tensor([0, 1, 2, 1, 0], { shape: [1, 5], device }), { ...plain, topK: 3 })
      expect(Array.from(draw(shaped.expand([2, 5]), [0, 1 - 2 ** -53]).ints())).toEqual([1, 3])
    }))

  it('frequencies over 20,000 draws are within four standard errors', () =>
    scope(() => {
      const n = 20_000
      const us = Array.from({ length: n }, (_, i) => uniform(1, i, 0))
      const counts = [0, 0, 0, 0]
      for (const id of draw(shapedLogprobs(logits(), plain).expand([n, 4]), us).ints()) counts[id]!++
      probabilities.forEach((p, i) => {
        expect(Math.abs(counts[i]! / n - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / n))
      })
    }))

  describe('from a large vocabulary', () => {
    const uniforms = (n: number, key: number) => Array.from({ length: n }, (_, i) => uniform(key, i))
    /** Log-probabilities of V tokens, of which one in sixteen is likely and the rest a long tail. */
    const tailed = (V: number) => {
      const logits = randomNormal([5], V).map((x, i) => x + (i % 16 === 3 ? 4 : -2))
      return shapedLogprobs(tensor(logits, { shape: [1, V], device }), plain)
    }

    it.each([4097, 65_536, 65_537])('of %i tokens frequencies are within four standard errors', V =>
      scope(() => {
        const logprobs = tailed(V)
        const n = 2000
        const drawn = Array.from({ length: 8 }, (_, k) =>
          scope(() => [...draw(logprobs.expand([n / 8, V]), uniforms(n / 8, k)).ints()]),
        ).flat()
        const all = logprobs.exp().floats()
        const within = (name: string, is: (id: number) => boolean) => {
          const p = all.reduce((sum, x, id) => sum + (is(id) ? x : 0), 0)
          const got = drawn.filter(is).length / n
          expect(Math.abs(got - p), name).toBeLessThan(4 * Math.sqrt(Math.max(0, p * (1 - p)) / n) + 1e-6)
        }
        within('the tail', id => id % 16 !== 3)
        within('the first part', id => id < 4096)
        within('the last tokens', id => id >= V - 500)
        for (let j = 0; j < 16; j++) within(`rows of sixteen, ${j}`, id => (id >> 4) % 16 === j)
      }),
    )

    it('the only token that is left is drawn, wherever it stands; none that was filtered out', () =>
      scope(() => {
        const V = 5000
        for (const id of [0, 1, 4095, 4096, 4999]) {
          const logits = new Float32Array(V).map((_, i) => (i === id ? 9 : -1))
          const shaped = shapedLogprobs(tensor(logits, { shape: [1, V], device }), { ...plain, topK: 1 })
          const ends = [0, 0.5, 1 - 2 ** -53]
          expect([...draw(shaped.expand([3, V]), ends).ints()]).toEqual([id, id, id])
        }
      }))

    it('rounding, of a ten-thousandth in every logit, changes next to nothing; in one step it would 7 of 300', () =>
      scope(() => {
        const [rows, V] = [300, 49_152]
        const logits = tailed(V).expand([rows, V])
        const moved = logits.add(tensor(randomNormal([6], V), { device }).mul(1e-4))
        const [u, different] = [
          uniforms(rows, 9),
          (a: Int32Array, b: Int32Array) => a.filter((x, i) => x !== b[i]).length,
        ]
        expect(different(draw(logits, u).ints(), draw(moved, u).ints())).toBeLessThanOrEqual(1)
      }))
  })
})
