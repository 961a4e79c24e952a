import {
  type Device,
  devices,
  gradcheck,
  init,
  noGrad,
  readSafetensors,
  scope,
  type Tensor,
  tensor,
  torch,
} from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { loadModel, loadScalarModel } from '../checkpoints/index.js'
import { Attention } from './attention.js'
import { decoderConfig } from './config.js'
import type { Decoder } from './decoder.js'
import { createDecoder } from './init.js'
import { logprobs, logSoftmax } from './logprobs.js'
import { Norm } from './norm.js'
import { RotaryTable } from './rope.js'
import { pack } from './sequences.js'

const folder = (name: string) => new URL(`../../goldens/llama/${name}`, import.meta.url).pathname

/** Largest absolute difference of two tensors of the same shape. */
function distance(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape)
  return a.detach().to('cpu').sub(b.detach().to('cpu')).abs().max().item()
}

/** The golden batch as prompts and responses. */
function goldenTexts(golden: ReadonlyMap<string, Tensor>) {
  const ids = golden.get('ids')!.tolist() as number[][]
  const start = golden.get('start')!.ints()
  const end = golden.get('end')!.ints()
  return {
    prompts: ids.map((row, i) => Int32Array.from(row.slice(0, start[i]))),
    responses: ids.map((row, i) => Int32Array.from(row.slice(start[i], end[i]))),
  }
}

function expectGradients(golden: ReadonlyMap<string, Tensor>, parameters: ReadonlyMap<string, Tensor>) {
  let checked = 0
  for (const [name, parameter] of parameters) {
    expect(distance(parameter.grad!, golden.get(`grad.${name}`)!), name).toBeLessThan(1e-4)
    checked++
  }
  expect(checked).toBe([...golden.keys()].filter(key => key.startsWith('grad.')).length)
}

describe.each(devices())('decoder on %s', device => {
  // Once as it is, and eight times over: with many rows the norm's weight is multiplied into the matrices.
  describe.each(['tied', 'untied'])('%s: agrees with transformers', name => {
    it.each([1, 8])('logits, loss and every gradient, batch × %i', async times => {
      const { model } = await loadModel(folder(name), { device })
      scope(() => {
        const golden = readSafetensors(`${folder(name)}/golden.safetensors`).tensors
        const repeat = <T>(list: readonly T[]) => Array.from({ length: times }, () => list).flat()
        const { prompts, responses } = goldenTexts(golden)
        const ids = golden.get('ids')!.repeat([times, 1]).to(device)
        const logits = noGrad(() => model.logits(model.hidden(ids)))
        expect(distance(logits, golden.get('logits')!.repeat([times, 1, 1]))).toBeLessThan(1e-4)

        const sequences = pack(repeat(prompts), repeat(responses), device)
        const loss = logprobs(model, sequences, { temperature: 0.7 }).logprobs.sum().neg().div(sequences.tokens)
        expect(loss.item()).toBeCloseTo(golden.get('loss')!.item(), 4)
        loss.backward()
        expectGradients(golden, model.parameters())
      })
      model.dispose()
    })
  })

  it('a scalar model agrees with transformers: scores and every gradient', async () => {
    const { model } = await loadScalarModel(folder('scalar'), { device })
    scope(() => {
      const golden = readSafetensors(`${folder('scalar')}/golden.safetensors`).tensors
      const { prompts, responses } = goldenTexts(golden)
      const sequences = pack(prompts, responses, device)
      expect(
        distance(
          noGrad(() => model.scores(sequences.ids)),
          golden.get('scores')!,
        ),
      ).toBeLessThan(1e-4)
      const loss = model.scores(sequences.ids, { rows: sequences.at }).square().mean()
      expect(loss.item()).toBeCloseTo(golden.get('loss')!.item(), 4)
      loss.backward()
      expectGradients(golden, model.parameters())
    })
    model.dispose()
  })

  it('padding on the left, on the right or none gives the same hidden states', () =>
    scope(() =>
      noGrad(() => {
        const model = small(device)
        const texts = [
          [5, 9, 33, 2, 60],
          [8, 1],
          [62, 6, 17],
        ]
        const longest = 5
        const right = model.hidden(
          ids(
            texts.map(text => [...text, ...zeros(longest - text.length)]),
            device,
          ),
        )
        const pads = texts.map(text => longest - text.length)
        const positions = texts.map((text, i) => [...zeros(pads[i]!), ...text.keys()])
        const mask = pads.map(pad => [
          range(longest).map(q => range(longest).map(k => (k >= pad && k <= q) || k === q)),
        ])
        const left = model.model
          .run(
            ids(
              texts.map((text, i) => [...zeros(pads[i]!), ...text]),
              device,
            ),
            {
              batch: 3,
              length: longest,
              rotation: model.model.rotary.at(ids(positions, device), longest, 'float32'),
              mask: tensor(mask, { dtype: 'bool', device }),
            },
          )
          .view([3, longest, 16])
        for (const [i, text] of texts.entries()) {
          const alone = model.hidden(ids([text], device)).select(0, 0)
          expect(distance(right.select(0, i).narrow(0, 0, text.length), alone)).toBeLessThan(1e-5)
          expect(distance(left.select(0, i).narrow(0, pads[i]!, text.length), alone)).toBeLessThan(1e-5)
        }
      }),
    ))

  it('is causal: a later token changes nothing before it', () =>
    scope(() =>
      noGrad(() => {
        const model = small(device)
        const a = model.hidden(ids([[1, 2, 3, 4, 5]], device))
        const b = model.hidden(ids([[1, 2, 3, 9, 5]], device))
        expect(distance(a.narrow(1, 0, 3), b.narrow(1, 0, 3))).toBeLessThan(1e-6)
        expect(distance(a.narrow(1, 4, 1), b.narrow(1, 4, 1))).toBeGreaterThan(1e-3)
      }),
    ))

  it('rows gives the same hidden states as the whole', () =>
    scope(() =>
      noGrad(() => {
        const model = small(device)
        const batch = ids(
          [
            [5, 9, 33, 2],
            [8, 1, 7, 7],
          ],
          device,
        )
        const rows = model.hidden(batch, { rows: ids([[6, 1, 3]], device).view([3]) })
        const whole = model.hidden(batch).view([8, 16])
        for (const [i, row] of [6, 1, 3].entries())
          expect(distance(rows.select(0, i), whole.select(0, row))).toBeLessThan(1e-5)
      }),
    ))

  it('ids beyond the tokenizer have no logits and take no probability', () =>
    scope(() =>
      noGrad(() => {
        const model = small(device)
        const whole = model.logits(model.hidden(ids([[5, 9]], device)))
        model.vocabulary = 50
        const cut = model.logits(model.hidden(ids([[5, 9]], device)))
        expect(cut.shape).toEqual([1, 2, 50])
        expect(distance(cut, whole.narrow(2, 0, 50))).toBeLessThan(1e-6)
        expect(logSoftmax(cut, 1).exp().sum([-1]).select(1, 1).item()).toBeCloseTo(1, 5)
        expect(() => (model.vocabulary = 65)).toThrow("vocabulary: got 65, expected 1 to the model's 64")
      }),
    ))

  it('a model in bfloat16 stays near the one in float32, and its log-probabilities are float32', () =>
    scope(() =>
      noGrad(() => {
        const model = small(device)
        const sequences = pack([Int32Array.of(5, 9)], [Int32Array.of(33, 2)], device)
        const exact = logprobs(model, sequences, { temperature: 1 }).logprobs
        model.to('bfloat16')
        const rough = logprobs(model, sequences, { temperature: 1 }).logprobs
        expect(rough.dtype).toBe('float32')
        expect(distance(rough, exact)).toBeLessThan(0.1)
      }),
    ))
})

// float64 differences need no other device
describe('the attention block against central differences in float64', () => {
  it.each([
    ['few rows', 1],
    ['many rows', 3],
  ])('%s', (_, batch) =>
    scope(() => {
      const config = decoderConfig({ vocabSize: 8, hiddenSize: 4, layers: 1, heads: 2, kvHeads: 1, headDim: 2 })
      const attention = new Attention(config, { dtype: 'float64' })
      const norm = new Norm(4, config, { dtype: 'float64' })
      const rotation = new RotaryTable(2, 10, 8).range(4, 'float64')
      const random = (shape: number[], key: number) =>
        init.normal_(torch.zeros(shape, { dtype: 'float64' }), 0.7, [key])
      const names = ['q_proj', 'k_proj', 'v_proj', 'o_proj'] as const
      const inputs = [
        random([batch * 4, 4], 1),
        random([4], 2),
        ...names.map((name, i) => random([...attention[name].weight.shape], 3 + i)),
      ]
      const worst = gradcheck((x, scale, ...weights) => {
        norm.weight = scale!
        for (const [i, name] of names.entries()) attention[name].weight = weights[i]!
        return attention.o_proj.forward(attention.read(x!, norm, { batch, length: 4, rotation }, 0))
      }, inputs)
      expect(worst).toBeLessThan(1e-5)
    }),
  )
})

const zeros = (n: number) => new Array<number>(n).fill(0)
const range = (n: number) => [...Array(n).keys()]
const ids = (rows: readonly (readonly number[])[], device: Device) =>
  tensor(Int32Array.from(rows.flat()), { shape: [rows.length, rows[0]!.length], dtype: 'int64', device })
const small = (device: Device): Decoder =>
  createDecoder(
    decoderConfig({ vocabSize: 64, hiddenSize: 16, layers: 2, heads: 4, kvHeads: 2, maxPositions: 32 }),
    1,
    { device },
  )
