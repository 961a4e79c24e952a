import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { devices, noGrad, readSafetensors, scope, type Tensor, torch } from '@emend/torch'
import { describe, expect, it } from 'vitest'
import { loadModel, loadScalarModel, saveModel, saveScalarModel } from '../../checkpoints/index.js'
import { generate } from '../../generation/index.js'
import { createDecoder } from '../init.js'
import { tensorShapes } from '../shapes.js'
import { FAMILIES, familyOf, fromHuggingFace, toHuggingFace } from './index.js'

// Made by goldens/families.py from Hugging Face transformers, which also read what we saved (--check).
const GOLDENS = new URL('../../../goldens/families/', import.meta.url).pathname
const folder = (name: string) => join(GOLDENS, name)
const json = (name: string, file = 'config.json') => JSON.parse(readFileSync(join(folder(name), file), 'utf8'))

const CASES = readdirSync(GOLDENS).filter(name => existsSync(join(folder(name), 'golden.safetensors')))
const CAUSAL = CASES.filter(name => !name.endsWith('-scalar'))
const SCALAR = CASES.filter(name => name.endsWith('-scalar'))

const golden = (name: string) => readSafetensors(join(folder(name), 'golden.safetensors')).tensors
const distance = (a: Tensor, b: Tensor): number => {
  expect(a.shape).toEqual(b.shape)
  return a.detach().to('cpu').to('float32').sub(b).abs().max().item()
}

/** The golden's gradient of a tensor of ours, cut out of where the family keeps it. */
function goldenGradient(all: ReadonlyMap<string, Tensor>, family: string, ours: string): Tensor {
  const stored = familyOf(family, 'test').stored?.(ours) ?? { name: ours }
  const whole = all.get(`grad.${stored.name}`)!
  const rows = stored.transposed ? whole.t() : whole
  return stored.part === undefined ? rows : rows.chunk(3, 0)[stored.part]!
}

function expectGradients(all: ReadonlyMap<string, Tensor>, family: string, parameters: ReadonlyMap<string, Tensor>) {
  for (const [name, parameter] of parameters) {
    expect(distance(parameter.grad!, goldenGradient(all, family, name)), name).toBeLessThan(1e-4)
  }
}

it('has a golden of every family', () => {
  const families = new Set(CAUSAL.map(name => json(name).model_type))
  expect([...families].sort()).toEqual(FAMILIES.map(family => family.name).sort())
})

describe.each(devices())('on %s', device => {
  describe.each(CAUSAL)('%s agrees with transformers', name => {
    // Once as it is, and eight times over: with many rows norms are multiplied into the matrices.
    it.each([1, 8])('logits, loss and every gradient, batch × %i', async times => {
      const { model, config } = await loadModel(folder(name), { device })
      scope(() => {
        const gold = golden(name)
        const ids = gold.get('ids')!.repeat([times, 1])
        const logits = model.logits(model.hidden(ids.to(device)))
        expect(distance(logits, gold.get('logits')!.repeat([times, 1, 1]))).toBeLessThan(1e-4)

        const length = ids.shape[1]!
        const chosen = logits
          .narrow(1, 0, length - 1)
          .log_softmax(-1)
          .gather(
            2,
            ids
              .to(device)
              .narrow(1, 1, length - 1)
              .unsqueeze(-1),
          )
        const loss = chosen.mean().neg()
        expect(loss.item()).toBeCloseTo(gold.get('loss')!.item(), 5)
        loss.backward()
        expectGradients(gold, config.family, model.parameters())
      })
      model.dispose()
    })

    it('logits in bfloat16', async () => {
      const { model } = await loadModel(folder(name), { device, dtype: 'bfloat16' })
      scope(() => {
        const gold = golden(name)
        const logits = noGrad(() => model.logits(model.hidden(gold.get('ids')!.to(device))))
        expect(logits.dtype).toBe('bfloat16')
        expect(distance(logits, gold.get('bf16')!)).toBeLessThan(2e-2)
      })
      model.dispose()
    })

    it('logits in float16, which has three more digits', async () => {
      const { model } = await loadModel(folder(name), { device, dtype: 'float16' })
      scope(() => {
        const gold = golden(name)
        const logits = noGrad(() => model.logits(model.hidden(gold.get('ids')!.to(device))))
        expect(distance(logits, gold.get('logits')!)).toBeLessThan(4e-3)
      })
      model.dispose()
    })

    it('greedy continuations token for token, prompts of several lengths in one batch and alone', async () => {
      const { model } = await loadModel(folder(name), { device })
      const cases = json(name, 'greedy.json') as { prompt: number[]; continuation: number[] }[]
      const prompts = cases.map(({ prompt }) => Int32Array.from(prompt))
      const expected = cases.map(({ continuation }) => continuation)
      const options = { maxNewTokens: 16, eos: [], seed: 1, temperature: 0 }
      expect(generate(model, prompts, options).map(({ ids }) => [...ids])).toEqual(expected)
      expect(prompts.flatMap(prompt => generate(model, [prompt], options)).map(({ ids }) => [...ids])).toEqual(expected)
      model.dispose()
    })
  })

  it.each(SCALAR)('%s: scores and every gradient of a token classifier', async name => {
    const { model, config } = await loadScalarModel(folder(name), { device })
    scope(() => {
      const gold = golden(name)
      const scores = model.scores(gold.get('ids')!.to(device))
      expect(distance(scores, gold.get('logits')!.squeeze(-1))).toBeLessThan(1e-4)
      scores.square().mean().backward()
      expectGradients(gold, config.family, model.parameters())
    })
    model.dispose()
  })
})

describe('files', () => {
  it.each(CASES)('%s: what is saved is what was loaded: every tensor and setting', async name => {
    const saved = mkdtempSync(join(tmpdir(), 'emend-family-'))
    const [load, save] = name.endsWith('-scalar') ? [loadScalarModel, saveScalarModel] : [loadModel, saveModel]
    const { model, config } = await load(folder(name))
    await save(saved, model as never)
    scope(() => {
      const [before, after] = [folder(name), saved].map(
        path => readSafetensors(join(path, 'model.safetensors')).tensors,
      ) as [Map<string, Tensor>, Map<string, Tensor>]
      expect([...after.keys()].sort()).toEqual([...before.keys()].sort())
      for (const [key, tensor] of before) expect(torch.equal(tensor, after.get(key)!), key).toBe(true)
    })
    const again = await load(saved)
    expect(again.config).toEqual(config)
    const [theirs, ours] = [json(name), JSON.parse(readFileSync(join(saved, 'config.json'), 'utf8'))]
    for (const key of OPTIONAL) delete theirs[key]
    if (theirs.sliding_window === null) delete theirs.max_window_layers
    expect(ours).toMatchObject(theirs)
    model.dispose()
    again.model.dispose()
    rmSync(saved, { recursive: true })
  })

  it.each(CASES)('%s: the shapes told beforehand are those of the model', async name => {
    const scalar = name.endsWith('-scalar')
    const { model, config } = await (scalar ? loadScalarModel : loadModel)(folder(name))
    const shapes = [...model.stateDict()].map(([key, tensor]) => [key, tensor.shape])
    expect([...tensorShapes(config, scalar ? 'scalar' : 'vocabulary')]).toEqual(shapes)
    model.dispose()
  })

  it('a family without a token classifier says so', () => {
    const config = fromHuggingFace(json('gemma3'))
    expect(() => toHuggingFace(config, 'token-classification')).toThrow(
      'gemma3_text: transformers has no token classifier of this family',
    )
  })

  it.each(CAUSAL)('%s: a model made from its config writes and draws norms as the identity', name => {
    const model = createDecoder(fromHuggingFace(json(name)), 1)
    const { normOffset } = model.config
    for (const [key, weight] of model.parameters()) {
      if (key.endsWith('norm.weight'))
        expect(
          weight.floats().every(x => x + normOffset === 1),
          key,
        ).toBe(true)
    }
    model.dispose()
  })
})

// Settings without an effect on the numbers, or of training only; transformers fills them in.
const OPTIONAL = new Set([
  '_sliding_window_pattern',
  'add_cross_attention',
  'attn_pdrop',
  'embd_pdrop',
  'initializer_range',
  'pretraining_tp',
  'reorder_and_upcast_attn',
  'resid_pdrop',
  'scale_attn_by_inverse_layer_idx',
  'scale_attn_weights',
  'summary_activation',
  'summary_first_dropout',
  'summary_proj_to_labels',
  'summary_type',
  'summary_use_proj',
  'transformers_version',
  'use_bidirectional_attention',
])
