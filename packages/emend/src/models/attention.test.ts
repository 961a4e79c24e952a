import { type Device, devices, keep, noGrad, scope, type Tensor, tensor, torch } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { layerPasses } from './attention.js'
import type { KeyValueCache } from './cache.js'
import { decoderConfig } from './config.js'
import type { Decoder } from './index.js'
import { createDecoder } from './init.js'

const shape = { vocabSize: 32, hiddenSize: 16, layers: 3, heads: 4, kvHeads: 2, maxPositions: 32 }
const ids = (rows: readonly (readonly number[])[], device: Device) =>
  tensor(Int32Array.from(rows.flat()), { shape: [rows.length, rows[0]!.length], dtype: 'int64', device })
const visible = (mask: Tensor | undefined) =>
  (mask!.to('int32').view([mask!.shape[2]!, mask!.shape[3]!]).tolist() as number[][]).map(row => row.join(''))

/** Keys and values put behind each other. */
class Growing implements KeyValueCache {
  readonly #held: [Tensor, Tensor][] = []
  append(layer: number, k: Tensor, v: Tensor): [Tensor, Tensor] {
    const held = this.#held[layer]
    // Kept: each layer runs in a scope of its own.
    this.#held[layer] = keep(held ? [torch.cat([held[0], k], 2), torch.cat([held[1], v], 2)] : [k, v])
    return this.#held[layer]
  }
}

/** Hidden states of one text, read in pieces of the given lengths behind so many columns of padding. */
function inPieces(model: Decoder, text: readonly number[], pieces: readonly number[], padding: number): Tensor {
  const { device } = model
  const cache = new Growing()
  const columns = [...new Array<number>(padding).fill(0), ...text]
  const parts: Tensor[] = []
  let end = 0
  for (const length of pieces) {
    const from = end
    end += length
    const positions = Array.from({ length }, (_, i) => Math.max(0, from + i - padding))
    const mask = Array.from({ length }, (_, i) =>
      Array.from({ length: end }, (_, k) => (k >= padding && k <= from + i) || k === from + i),
    )
    parts.push(
      model.model.run(ids([columns.slice(from, end)], device), {
        batch: 1,
        length,
        rotation: model.model.rotary.at(ids([positions], device), 32, 'float32'),
        mask: tensor([[mask]], { dtype: 'bool', device }),
        cache,
      }),
    )
  }
  return torch.cat(parts, 0).narrow(0, padding, text.length)
}

describe('sliding windows', () => {
  const config = decoderConfig({ ...shape, slidingWindow: 2 })
  const rotation = { vectors: torch.zeros([1]) }

  it('a token reads itself and the one before it', () => {
    const { whole, sliding } = layerPasses({ batch: 1, length: 4, rotation }, config)
    expect(whole.mask).toBeUndefined()
    expect(visible(sliding.mask)).toEqual(['1000', '1100', '0110', '0011'])
  })

  it('behind earlier columns, and only what the mask allows', () => {
    const mask = tensor([0, 1, 1, 0, 0, 1, 1, 1], { shape: [1, 1, 2, 4], dtype: 'bool' })
    const { whole, sliding } = layerPasses({ batch: 1, length: 2, rotation, mask }, config)
    expect(visible(whole.mask)).toEqual(['0110', '0111'])
    expect(visible(sliding.mask)).toEqual(['0110', '0011'])
  })

  it('a window that holds everything needs no mask', () => {
    expect(layerPasses({ batch: 1, length: 2, rotation }, config).sliding.mask).toBeUndefined()
  })
})

describe.each(devices())('attention on %s', device => {
  const text = [5, 9, 31, 2, 17, 8, 1, 22, 13, 4, 30]
  it.each([
    ['whole', {}],
    ['sliding', { slidingWindow: 4 }],
    [
      'sliding every other layer, soft-capped',
      { slidingWindow: 4, slidingLayers: [true, false, true], attentionSoftCap: 2 },
    ],
    ['soft-capped', { attentionSoftCap: 2 }],
    ['learned positions', { positions: 'learned', slidingWindow: 4 }],
    ['another θ for sliding layers', { slidingWindow: 4, slidingLayers: [true, false, true], localRopeTheta: 7 }],
  ] as const)('%s: read at once, in pieces, token by token, behind padding', (_, change) =>
    scope(() =>
      noGrad(() => {
        const model = createDecoder(decoderConfig({ ...shape, ...change }), 3, { device })
        const whole = model.hidden(ids([text], device)).select(0, 0)
        for (const padding of [0, 3]) {
          for (const pieces of [[11], [6, 5], [4, 1, 1, 3, 2], new Array<number>(11).fill(1)]) {
            const got = inPieces(model, text, [padding + pieces[0]!, ...pieces.slice(1)], padding)
            expect(got.sub(whole).abs().max().item()).toBeLessThan(1e-5)
          }
        }
        model.dispose()
      }),
    ),
  )

  it('three layers of a window of 4 reach 9 tokens back and no further', () =>
    scope(() =>
      noGrad(() => {
        const model = createDecoder(decoderConfig({ ...shape, slidingWindow: 4 }), 3, { device })
        const last = (first: number, second: number) =>
          model.hidden(ids([[first, second, ...text.slice(2)]], device)).select(1, 10)
        // token 10 sees 7 to 10, those see 4 to 9, those 1 to 8: token 1 counts, token 0 does not
        expect(last(5, 9).sub(last(6, 9)).abs().max().item()).toBe(0)
        expect(last(5, 9).sub(last(5, 10)).abs().max().item()).toBeGreaterThan(1e-6)
        model.dispose()
      }),
    ))

  // Two tokens, one head of width 2, all matrices the identity: scores are 1/√2 · x·y where positions do not turn.
  it('soft cap: c · tanh(score / c) by hand', () =>
    scope(() =>
      noGrad(() => {
        const one = {
          vocabSize: 2,
          hiddenSize: 2,
          layers: 1,
          heads: 1,
          intermediateSize: 1,
          positions: 'learned',
        } as const
        const config = decoderConfig({ ...one, attentionSoftCap: 0.5, attentionScale: 1, maxPositions: 2 })
        const model = createDecoder(config, 1, { device })
        const identity = tensor([1, 0, 0, 1], { shape: [2, 2] })
        const { self_attn, input_layernorm } = model.model.layers[0]!
        for (const name of ['q_proj', 'k_proj', 'v_proj'] as const) self_attn[name].weight.copy_(identity)
        // of root mean square 1: √2·(1, 0) and √2·(0.6, 0.8)
        const x = tensor([1, 0, 0.6, 0.8], { shape: [2, 2], device }).mul(Math.SQRT2)
        const read = self_attn.read(x, input_layernorm, { batch: 1, length: 2 }, 0).floats()
        const [there, here] = [0.5 * Math.tanh(1.2 / 0.5), 0.5 * Math.tanh(2 / 0.5)]
        const weight = Math.exp(there) / (Math.exp(there) + Math.exp(here))
        expect(read[2]).toBeCloseTo(Math.SQRT2 * (weight * 1 + (1 - weight) * 0.6), 4)
        expect(read[3]).toBeCloseTo(Math.SQRT2 * (1 - weight) * 0.8, 4)
        model.dispose()
      }),
    ))
})
