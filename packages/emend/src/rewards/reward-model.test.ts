import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { devices, noGrad, readSafetensors, scope } from '@emend/torch'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { saveModel } from '../checkpoints/index.js'
import { createDecoder, decoderConfig, pack, scalarFrom } from '../models/index.js'
import { plainScores, tinyDecoder, tinyPairs } from '../training/tiny.fixture.js'
import type { Calibration } from './calibration.js'
import { fitCalibration, learnedReward } from './paid.js'
import { paymentOf } from './payments/index.js'
import { RewardModel } from './reward-model.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-reward-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const pairs = tinyPairs(7)
const prompts = pairs.map(pair => pair.prompt)
const responses = pairs.map(pair => pair.chosen.ids)
const newModel = (kind = 'token') => new RewardModel(scalarFrom(tinyDecoder(), 3), kind, 'fingerprint')
const mean = (xs: ArrayLike<number>) => Array.from(xs).reduce((sum, x) => sum + x, 0) / xs.length

describe.each(devices())('RewardModel on %s', device => {
  it.each(['sequence', 'token'])('comes back from its folder as it was: %s', async kind => {
    const model = newModel(kind)
    const calibration = fitCalibration(model, paymentOf('terminal'), { prompts, responses }, 'seven samples')
    model.calibrations['token'] = { shift: -0.5, scale: 2, of: 'token', fittedOn: 'nothing', n: 3 }
    await model.save(folder)
    const loaded = await RewardModel.load(folder, { device })
    expect([loaded.objective.kind, loaded.tokenizer]).toEqual([kind, 'fingerprint'])
    expect(loaded.calibrations).toEqual({ terminal: calibration, token: model.calibrations['token'] })
    const [before, after] = [model, loaded].map(each => each.readAll(prompts, responses))
    for (const [i, { token, sequence }] of (before ?? []).entries()) {
      expect(after?.[i]?.sequence).toBeCloseTo(sequence, 5)
      for (const [t, x] of token.entries()) expect(after?.[i]?.token[t]).toBeCloseTo(x, 5)
    }
  })

  it('reads r_t after each token, and R at the last one or as the mean', async () => {
    for (const kind of ['sequence', 'token']) {
      const model = newModel(kind)
      for (const [i, { token, sequence }] of model.readAll(prompts, responses, 30).entries()) {
        const expected = plainScores(model.scalar, prompts[i] as Int32Array, responses[i] as Int32Array)
        expect(token.length).toBe(expected.length)
        for (const [t, x] of expected.entries()) expect(token[t]).toBeCloseTo(x, 5)
        expect(sequence).toBeCloseTo(kind === 'token' ? mean(expected) : (expected.at(-1) as number), 5)
      }
    }
  })

  it('reads nothing where there is no token', () =>
    scope(() =>
      noGrad(() => {
        const { token, mask } = newModel().read(pack(prompts, responses))
        expect(mask.logical_not().sum().item()).toBeGreaterThan(5)
        expect(token.mul(mask.logical_not()).abs().sum().item()).toBe(0)
      }),
    ))
})

describe('its folder', () => {
  it("is one of Hugging Face's: LlamaForTokenClassification with one label, reward.json beside it", async () => {
    await newModel().save(folder)
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'model.safetensors', 'reward.json'])
    expect(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))).toMatchObject({
      architectures: ['LlamaForTokenClassification'],
      num_labels: 1,
      id2label: { 0: 'LABEL_0' },
      model_type: 'llama',
      hidden_size: 16,
      vocab_size: 32,
    })
    const { tensors } = readSafetensors(join(folder, 'model.safetensors'))
    const shapes = new Map([...tensors].map(([name, tensor]) => [name, tensor.shape]))
    expect([shapes.get('score.weight'), shapes.get('score.bias')]).toEqual([[1, 16], [1]])
    expect(shapes.has('model.layers.0.self_attn.q_proj.weight')).toBe(true)
    expect(JSON.parse(readFileSync(join(folder, 'reward.json'), 'utf8'))).toEqual({
      kind: 'token',
      tokenizer: 'fingerprint',
      calibrations: {},
    })
  })

  it.each([
    ['nothing', undefined, "no readable reward.json; train a reward model with 'emend reward --out"],
    ['no JSON', '{"kind": "tok', 'no readable reward.json'],
    ['something else', '[]', 'reward.json: Invalid input: expected object'],
    ['an unknown kind', '{"kind":"pairwise","tokenizer":"x","calibrations":{}}', 'reward.json: kind: Invalid option'],
    ['no tokenizer', '{"kind":"token","calibrations":{}}', 'reward.json: tokenizer: Invalid input'],
    [
      'half a calibration',
      '{"kind":"token","tokenizer":"x","calibrations":{"token":{"shift":1}}}',
      'calibrations.token.scale',
    ],
  ])('with %s in reward.json is refused by one line that names it', async (_, text, message) => {
    await newModel().save(folder)
    if (text === undefined) rmSync(join(folder, 'reward.json'))
    else writeFileSync(join(folder, 'reward.json'), text)
    const loading = RewardModel.load(folder)
    await expect(loading).rejects.toThrow(message)
    await expect(loading).rejects.toThrow(folder)
    await expect(loading).rejects.toMatchObject({ name: 'EmendError', message: expect.not.stringContaining('\n') })
  })

  it('of a language model is refused: it has no reward.json, and another architecture', async () => {
    await saveModel(folder, tinyDecoder())
    await expect(RewardModel.load(folder)).rejects.toThrow(`${folder}: no readable reward.json`)
    writeFileSync(join(folder, 'reward.json'), '{"kind":"token","tokenizer":"x","calibrations":{}}')
    await expect(RewardModel.load(folder)).rejects.toThrow('expected ["LlamaForTokenClassification"]')
  })

  it('is named when it is not there, and not made', async () => {
    await expect(RewardModel.load(join(folder, 'none'))).rejects.toThrow(
      `${join(folder, 'none')}: no readable reward.json`,
    )
    expect(existsSync(join(folder, 'none'))).toBe(false)
  })
})

describe('a learned reward', () => {
  const unpaid = { indices: pairs.map((_, i) => i), prompts, responses: responses.map(ids => ({ ids, ended: true })) }

  // Fitted on these very responses, the totals have mean 0 (over responses, or over tokens) and standard deviation 1.
  it.each(['terminal', 'token', 'token-mean', 'uniform'] as const)(
    'by payment %s is centred and scaled as it was fitted',
    name => {
      const model = newModel(name === 'terminal' || name === 'uniform' ? 'sequence' : 'token')
      const payment = paymentOf(name)
      const calibration: Calibration = fitCalibration(model, payment, { prompts, responses }, 'these')
      expect(calibration).toMatchObject({ fittedOn: 'these', n: 7, of: payment.of })
      expect(model.calibrations[name]).toBe(calibration)
      const paid = learnedReward(model, payment, calibration)(unpaid)
      const totals = paid.map(row => row.reduce((sum, x) => sum + x, 0))
      const spread = Math.sqrt(mean(totals.map(x => (x - mean(totals)) ** 2)))
      expect(spread).toBeCloseTo(1, 4)
      for (const [i, row] of paid.entries()) {
        const read = plainScores(model.scalar, prompts[i] as Int32Array, responses[i] as Int32Array)
        const T = read.length
        const last = calibration.scale * ((read.at(-1) as number) - calibration.shift)
        const expected = {
          terminal: read.map((_, t) => (t === T - 1 ? last : 0)),
          uniform: read.map(() => last / T),
          token: read.map(r => calibration.scale * (r - calibration.shift)),
          'token-mean': read.map(r => (calibration.scale * (r - calibration.shift)) / T),
        }[name]
        expect(row.length).toBe(T)
        for (const [t, x] of expected.entries()) expect(row[t]).toBeCloseTo(x, 4)
      }
      if (name !== 'token-mean') expect(mean(totals)).toBeCloseTo(0, 4)
    },
  )
})

it('a family without a token classifier is refused before anything is trained', () => {
  const gemma = decoderConfig({ family: 'gemma3_text', vocabSize: 8, hiddenSize: 4, layers: 1, heads: 1 })
  expect(() => new RewardModel(scalarFrom(createDecoder(gemma, 1), 1), 'token', 'fingerprint')).toThrow(
    'gemma3_text: transformers has no token classifier of this family',
  )
})
