import { noGrad, scope, tensor, torch } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { decoderConfig } from './config.js'
import { Decoder } from './decoder.js'
import { ScalarModel } from './heads.js'
import { entropyOf, logprobs, rewardsAt, valuesAt } from './logprobs.js'
import { gatherAt, pack, responseRows, spread } from './sequences.js'

const prompts = [Int32Array.of(0, 1), Int32Array.of(3)]
const responses = [Int32Array.of(2, 3), Int32Array.of(0, 1, 1)]

describe('pack', () => {
  it('pads on the right and says where each response token stands', () =>
    scope(() => {
      const s = pack(prompts, responses)
      expect(s.ids.tolist()).toEqual([
        [0, 1, 2, 3],
        [3, 0, 1, 1],
      ])
      expect(s.mask.tolist().flat().map(Number)).toEqual([1, 1, 0, 1, 1, 1])
      expect((s.index.tolist() as number[][]).map((row, i) => row.slice(0, s.lengths[i]))).toEqual([
        [2, 3],
        [1, 2, 3],
      ])
      expect([...s.lengths, ...s.prompts, s.tokens]).toEqual([2, 3, 2, 1, 5])
      expect(Array.from(s.targets.ints())).toEqual([2, 3, 0, 1, 1])
      expect(Array.from(s.at.ints())).toEqual([2, 3, 5, 6, 7])
      expect(Array.from(s.before.ints())).toEqual([1, 2, 4, 5, 6])
      expect(Array.from(s.slots.ints())).toEqual([0, 1, 3, 4, 5])
      const gathered = gatherAt(s.ids, s.index).tolist() as number[][]
      expect(gathered.map((row, i) => row.slice(0, s.lengths[i]))).toEqual(responses.map(row => [...row]))
      expect(gatherAt(s.ids.unsqueeze(-1), s.index).shape).toEqual([2, 3, 1])
    }))

  it('refuses an empty prompt by its number', () => {
    expect(() => pack([Int32Array.of(1), new Int32Array(0)], responses)).toThrow('pack: prompt 1 is empty')
  })

  it('spread and responseRows are inverses', () =>
    scope(() => {
      const s = pack(prompts, responses)
      const x = spread(tensor([1, 2, 3, 4, 5]), s)
      expect(x.tolist()).toEqual([
        [1, 2, 0],
        [3, 4, 5],
      ])
      expect(responseRows(x, s.lengths).map(row => [...row])).toEqual([
        [1, 2],
        [3, 4, 5],
      ])
    }))
})

// New models have linear weights 0 and norms 1, so a hidden state is its token's embedding on the circle of radius √2.
const config = decoderConfig({ vocabSize: 4, hiddenSize: 2, layers: 1, heads: 1, normEps: 1e-12 })
const circle = () => tensor([1, 0, 0, 1, -1, 0, 0, -1], { shape: [4, 2] })

describe('what is read where', () => {
  it('V(s_t) before a_t is consumed, r_t after', () =>
    scope(() =>
      noGrad(() => {
        const model = new ScalarModel(config)
        model.model.embed_tokens.weight.copy_(circle())
        // scores 1, 2, −1, −2 for the tokens 0, 1, 2, 3
        model.score.weight.copy_(tensor([Math.SQRT1_2, Math.SQRT2], { shape: [1, 2] }))
        const s = pack(prompts, responses)
        rowsClose(valuesAt(model, s).tolist() as number[][], [
          [2, -1, 0],
          [-2, 1, 2],
        ])
        rowsClose(rewardsAt(model, s).tolist() as number[][], [
          [-1, -2, 0],
          [1, 2, 2],
        ])
        rowsClose(gatherAt(model.scores(s.ids), s.index).tolist() as number[][], [
          [-1, -2],
          [1, 2, 2],
        ])
      }),
    ))

  it('log-probabilities and entropy at a temperature', () =>
    scope(() =>
      noGrad(() => {
        const model = new Decoder(config)
        model.model.embed_tokens.weight.copy_(circle())
        const s = pack([prompts[0]!], [responses[0]!])
        const got = logprobs(model, s, { temperature: 2, entropy: true })
        // After token 1 the logits are (0, √2, 0, −√2), after token 2 (−√2, 0, √2, 0); divided by 2 both have this sum.
        const logZ = Math.log(Math.exp(Math.SQRT1_2) + 2 + Math.exp(-Math.SQRT1_2))
        const p = [Math.exp(Math.SQRT1_2 - logZ), Math.exp(-logZ), Math.exp(-logZ), Math.exp(-Math.SQRT1_2 - logZ)]
        const H = -p.reduce((sum, x) => sum + x * Math.log(x), 0)
        rowsClose(got.logprobs.tolist() as number[][], [[-logZ, -logZ]])
        rowsClose(got.entropy!.tolist() as number[][], [[H, H]])
        const colder = logprobs(model, pack([Int32Array.of(1)], [Int32Array.of(3)]), { temperature: 1 }).logprobs.item()
        expect(colder).toBeCloseTo(-Math.SQRT2 - Math.log(Math.exp(Math.SQRT2) + 2 + Math.exp(-Math.SQRT2)), 5)
        expect(() => logprobs(model, s, { temperature: 0 })).toThrow('temperature: got 0, expected a positive number')
      }),
    ))

  it('a token of probability 0 adds nothing to the entropy', () =>
    scope(() => {
      const x = torch.log(tensor([0.5, 0.5, 0], { shape: [1, 3] }))
      expect(entropyOf(x).item()).toBeCloseTo(Math.LN2, 6)
    }))
})

function rowsClose(got: number[][], expected: number[][]): void {
  for (const [i, row] of expected.entries()) for (const [j, x] of row.entries()) expect(got[i]![j]).toBeCloseTo(x, 5)
}
