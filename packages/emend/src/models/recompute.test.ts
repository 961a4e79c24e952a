import { AdamW, memory, noGrad, scope, setMemoryLimit, type Tensor, tensor, torch } from '@emend/torch'
import { afterEach, describe, expect, it } from 'vitest'
import {
  adaptedDecoder,
  createDecoder,
  type Decoder,
  decoderConfig,
  logitRows,
  logprobs,
  pack,
  recomputed,
  Tape,
} from './index.js'

afterEach(() => setMemoryLimit(null))

const config = decoderConfig({ vocabSize: 30, hiddenSize: 16, layers: 3, heads: 4, kvHeads: 2, maxPositions: 64 })
const ids = (n: number, of: number, salt = 0) => Int32Array.from({ length: n }, (_, i) => (i * 7 + salt) % of)

/** The gradients of every trained weight, by name. */
function gradients(
  model: Decoder,
  loss: (model: Decoder) => Tensor,
  tape: boolean,
): [number, Map<string, Float64Array>] {
  new AdamW(model.trainable(), { lr: 0 }).zeroGrad()
  const value = scope(() => {
    const recorder = new Tape()
    const sum = tape ? recorder.record(() => loss(model)) : loss(model)
    if (tape) recorder.backward(sum)
    else sum.backward()
    return sum.item()
  })
  return [
    value,
    new Map([...model.trainable()].map(([name, w]) => [name, w.grad!.to('float64').data() as Float64Array])),
  ]
}

function expectSame(a: Map<string, Float64Array>, b: Map<string, Float64Array>): void {
  expect([...a.keys()]).toEqual([...b.keys()])
  for (const [name, values] of a) {
    const other = b.get(name)!
    const largest = values.reduce((most, x, i) => Math.max(most, Math.abs(x - other[i]!)), 0)
    expect(largest, name).toBeLessThan(1e-10)
  }
}

describe('layers computed again', () => {
  const batch = () => pack([ids(5, 30), ids(2, 30, 3)], [ids(6, 30, 1), ids(9, 30, 2)])
  const loss = (model: Decoder) => logprobs(model, batch(), { temperature: 0.7 }).logprobs.square().sum()

  it.each(['all weights', 'an adapter'])('give loss and gradients as kept ones do, in float64: %s', trained => {
    const base = createDecoder(config, 1, { dtype: 'float64' })
    const model =
      trained === 'an adapter' ? adaptedDecoder(base, { rank: 2, alpha: 4, targets: ['all-linear'] }, 2) : base
    if (trained === 'an adapter')
      noGrad(() => {
        for (const weight of model.trainable().values()) weight.add_(0.05)
      })
    const [plain, kept] = gradients(model, loss, false)
    model.model.recompute = true
    const [again, replayed] = gradients(model, loss, true)
    expect(again).toBeCloseTo(plain, 12)
    expectSame(replayed, kept)
    // Without a tape nothing is computed twice, and nothing changes.
    expectSame(gradients(model, loss, false)[1], kept)
  })

  it('take less memory', () => {
    const deep = createDecoder(
      decoderConfig({ vocabSize: 64, hiddenSize: 64, layers: 8, heads: 4, maxPositions: 256 }),
      1,
    )
    const long = () => pack([ids(2, 64)], [ids(254, 64)])
    const peak = (recompute: boolean) => {
      deep.model.recompute = recompute
      const before = memory().bytes
      return scope(() => {
        const tape = new Tape()
        const sum = tape.record(() => logprobs(deep, long(), { temperature: 1 }).logprobs.sum())
        const held = memory().bytes - before
        tape.backward(sum)
        return held
      })
    }
    const kept = peak(false)
    expect(peak(true)).toBeLessThan(kept / 4)
  })
})

describe('log-probabilities in pieces', () => {
  const vocabSize = 49_152
  const wide = decoderConfig({ vocabSize, hiddenSize: 8, layers: 1, heads: 2, maxPositions: 1024 })
  // Two pieces and a bit.
  const tokens = 2 * logitRows(vocabSize) + 17
  const batch = () => pack([ids(2, vocabSize)], [ids(tokens, vocabSize)])
  const loss = (model: Decoder) => logprobs(model, batch(), { temperature: 0.8 }).logprobs.square().sum()

  const whole = (model: Decoder) => {
    const sequences = batch()
    const hidden = model.hidden(sequences.ids, { rows: sequences.before })
    const all = model.logits(hidden).div(0.8).log_softmax(-1)
    return all.gather(1, sequences.targets.unsqueeze(1)).square().sum()
  }

  it('at most 64 MB of logits at once', () => {
    expect(logitRows(vocabSize)).toBe(341)
    expect(logitRows(vocabSize) * vocabSize * 4).toBeLessThanOrEqual(64 * 2 ** 20)
    expect(logitRows(2 ** 30)).toBe(1)
  })

  it('give loss and gradients as the whole does, in float64', () => {
    const model = createDecoder(wide, 1, { dtype: 'float64' })
    const [plain, kept] = gradients(model, whole, false)
    const [pieces, replayed] = gradients(model, loss, true)
    expect(Math.abs(pieces / plain - 1)).toBeLessThan(1e-13)
    expectSame(replayed, kept)
  })

  it('have the entropies of the whole', () => {
    const model = createDecoder(wide, 1)
    scope(() =>
      noGrad(() => {
        const sequences = batch()
        const all = model.logits(model.hidden(sequences.ids, { rows: sequences.before })).log_softmax(-1)
        const expected = all.exp().mul(all).sum([-1]).neg()
        const { entropy } = logprobs(model, sequences, { temperature: 1, entropy: true })
        expect(entropy!.view([-1]).sub(expected).abs().max().item()).toBeLessThan(1e-4)
      }),
    )
  })

  it('fit where the whole is refused', () => {
    const model = createDecoder(wide, 1)
    gradients(model, loss, true)
    // The whole: 699 rows of 49,152 logits are 137 MB, those at the temperature and the log-softmax as much each.
    setMemoryLimit(memory().bytes + 256 * 2 ** 20)
    expect(() => gradients(model, loss, true)).not.toThrow()
    expect(() => gradients(model, whole, false)).toThrow(/out of memory/)
  })
})

describe('segments', () => {
  it('chain, and may read the same tensor, by hand', () => {
    const w = tensor([2, 3], { requiresGrad: true })
    const tape = new Tape()
    const loss = tape.record(() => {
      const x = w.mul(1)
      const [y] = recomputed(x => [x.mul(x)], x)
      const [z] = recomputed(y => [y.mul(5)], y)
      const [again] = recomputed(x => [x.mul(7)], x)
      return z.add(again).sum()
    })
    // 5 w² + 7 w
    expect(loss.item()).toBe(5 * (4 + 9) + 7 * 5)
    tape.backward(loss)
    expect(w.grad!.tolist()).toEqual([10 * 2 + 7, 10 * 3 + 7])
  })

  it('that need no gradient, or none reaches, are left alone', () => {
    const w = tensor([2], { requiresGrad: true })
    const tape = new Tape()
    const loss = tape.record(() => {
      recomputed(x => [x.mul(w)], torch.ones([1]))
      const [constant] = recomputed(x => [x.mul(3)], torch.ones([1]))
      return constant.mul(w).sum()
    })
    tape.backward(loss)
    expect(w.grad!.tolist()).toEqual([3])
  })
})
