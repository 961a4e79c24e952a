import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { memory, noGrad, readSafetensors, scope, type Tensor, writeSafetensors } from '@emend/torch'
import { afterAll, describe, expect, it } from 'vitest'
import { adaptedDecoder, mergeAdapter } from '../models/index.js'
import { loadModel } from './hugging-face.js'
import { loadAdapter, loadScalarAdapter, readAdapterFolder, saveAdapter } from './peft.js'

const golden = (name: string) => fileURLToPath(new URL(`../../goldens/${name}`, import.meta.url))
const folders = mkdtempSync(join(tmpdir(), 'emend-peft-'))
afterAll(() => rmSync(folders, { recursive: true }))

const baseOf = async (name: string) => (await loadModel(golden(`llama/${name}`))).model

/** The largest difference of a model's logits, or scores, from those in the golden file. */
function differenceFrom(folder: string, read: (ids: Tensor) => Tensor, key: string): number {
  return scope(() =>
    noGrad(() => {
      const { tensors } = readSafetensors(join(folder, 'golden.safetensors'))
      return read(tensors.get('ids')!).sub(tensors.get(key)!).abs().max().item()
    }),
  )
}

describe('made by peft, read here', () => {
  it.each([
    ['causal', 'tied'],
    ['rslora', 'untied'],
  ])('%s: the logits are peft’s, applied and merged', async (name, on) => {
    const folder = golden(`peft/made-by-peft/${name}`)
    const model = loadAdapter(folder, await baseOf(on))
    const merged = mergeAdapter(model)
    expect(differenceFrom(folder, ids => model.logits(model.hidden(ids)), 'logits')).toBeLessThan(1e-4)
    expect(differenceFrom(folder, ids => merged.logits(merged.hidden(ids)), 'logits')).toBeLessThan(1e-4)
    expect([...merged.parameters().keys()]).toEqual([...(await baseOf(on)).parameters().keys()])
  })

  it('the scores of a token classifier are peft’s, applied and merged', async () => {
    const folder = golden('peft/made-by-peft/scalar')
    const model = loadScalarAdapter(folder, await baseOf('untied'))
    expect(differenceFrom(folder, ids => model.scores(ids), 'scores')).toBeLessThan(1e-4)
    expect(differenceFrom(folder, ids => mergeAdapter(model).scores(ids), 'scores')).toBeLessThan(1e-4)
  })

  it('says what it is made for', () => {
    const { base, lora, task } = readAdapterFolder(golden('peft/made-by-peft/rslora'))
    expect(base).toBe(golden('llama/untied'))
    expect(lora).toEqual({ rank: 4, alpha: 6, targets: ['layers.0.self_attn.k_proj'], rslora: true })
    expect(task).toBe('CAUSAL_LM')
  })
})

describe('trained and saved here, applied by peft', () => {
  it('causal: peft’s logits are ours, applied and merged', async () => {
    const folder = golden('peft/made-here/causal')
    const base = await baseOf('tied')
    const model = loadAdapter(folder, base)
    const merged = mergeAdapter(model)
    for (const key of ['logits', 'merged']) {
      expect(differenceFrom(folder, ids => model.logits(model.hidden(ids)), key)).toBeLessThan(1e-4)
      expect(differenceFrom(folder, ids => merged.logits(merged.hidden(ids)), key)).toBeLessThan(1e-4)
    }
    // The base, in the same memory, is still what it was.
    expect(differenceFrom(folder, ids => base.logits(base.hidden(ids)), 'logits')).toBeGreaterThan(0.1)
    expect(differenceFrom(golden('llama/tied'), ids => base.logits(base.hidden(ids)), 'logits')).toBeLessThan(1e-4)
  })

  it('scalar: peft’s scores are ours', async () => {
    const folder = golden('peft/made-here/scalar')
    const model = loadScalarAdapter(folder, await baseOf('untied'))
    for (const key of ['scores', 'merged'])
      expect(differenceFrom(folder, ids => model.scores(ids), key)).toBeLessThan(1e-4)
  })
})

describe('files', () => {
  it('writes what it read, under the same names and with the same bytes', async () => {
    const from = golden('peft/made-by-peft/causal')
    const to = join(folders, 'again')
    saveAdapter(to, loadAdapter(from, await baseOf('tied')), golden('llama/tied'))
    const [a, b] = [from, to].map(folder => readSafetensors(join(folder, 'adapter_model.safetensors')).tensors)
    expect([...b!.keys()].sort()).toEqual([...a!.keys()].sort())
    for (const [name, tensor] of a!) expect(b!.get(name)!.floats(), name).toEqual(tensor.floats())
    const theirs = JSON.parse(readFileSync(join(from, 'adapter_config.json'), 'utf8'))
    const ours = JSON.parse(readFileSync(join(to, 'adapter_config.json'), 'utf8'))
    for (const key of [
      'peft_type',
      'task_type',
      'r',
      'lora_alpha',
      'lora_dropout',
      'bias',
      'use_rslora',
      'fan_in_fan_out',
    ])
      expect(ours[key], key).toEqual(theirs[key])
    expect(ours.target_modules.sort()).toEqual(theirs.target_modules.sort())
  })

  it.each([
    [{ lora_dropout: 0.1 }, /lora_dropout: got 0.1, which is not supported; expected 0$/],
    [{ use_dora: true }, /use_dora: got true, which is not supported/],
    [{ rank_pattern: { q_proj: 8 } }, /rank_pattern: got {"q_proj":8}, which is not supported/],
    [{ target_modules: '.*q_proj' }, /target_modules: .*expected array/],
    [
      { target_modules: ['lm_head'] },
      /targets: got 'lm_head', which is no linear map inside the layers; there are q_proj/,
    ],
    [{ peft_type: 'IA3' }, /peft_type: /],
    [{ r: 5 }, /lora_A.weight: got shape \[4,\d+\], expected \[5,\d+\]/],
    [{ task_type: 'TOKEN_CLS' }, /task_type: got TOKEN_CLS, expected CAUSAL_LM/],
    [{ target_modules: ['q_proj', 'k_proj'] }, /k_proj.lora_A.weight is missing/],
    [{ target_modules: ['q_proj'] }, /is not a tensor that adapter_config.json tells of/],
  ])('refuses %j by name', async (change, message) => {
    const folder = mkdtempSync(join(folders, 'refused-'))
    cpSync(golden('peft/made-by-peft/causal'), folder, { recursive: true })
    const path = join(folder, 'adapter_config.json')
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...change }))
    const base = await baseOf('tied')
    const before = memory().tensors
    expect(() => loadAdapter(folder, base)).toThrow(message)
    expect(memory().tensors).toBe(before)
  })

  it('refuses to save a model without an adapter, and tensors that are not there', async () => {
    const base = await baseOf('tied')
    expect(() => saveAdapter(join(folders, 'none'), base, null)).toThrow('no adapter to save')
    const folder = join(folders, 'empty')
    saveAdapter(folder, adaptedDecoder(base, { rank: 1, alpha: 1, targets: ['q_proj'] }, 1), null)
    writeSafetensors(join(folder, 'adapter_model.safetensors'), new Map())
    expect(() => loadAdapter(folder, base)).toThrow(/layers.0.self_attn.q_proj.lora_A.weight is missing/)
  })
})
