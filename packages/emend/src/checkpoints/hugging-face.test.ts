import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memory, readSafetensors, type Tensor, writeSafetensors } from '@emend/torch'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadModel, loadScalarModel, saveModel, saveScalarModel } from './hugging-face.js'

const golden = (name: string) => new URL(`../../goldens/llama/${name}`, import.meta.url).pathname
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-checkpoint-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'))

/** Names, dtypes, shapes and values of a weights file. */
function contents(path: string): Map<string, unknown> {
  const { tensors } = readSafetensors(join(path, 'model.safetensors'))
  const all = new Map([...tensors].sort().map(([name, t]) => [name, [t.dtype, t.shape, [...t.floats()]]]))
  for (const tensor of tensors.values()) tensor.dispose()
  return all
}

describe('Hugging Face folders', () => {
  it.each(['tied', 'untied'])('loading and saving gives equal tensors and settings: %s', async name => {
    const before = memory().tensors
    const { model, config } = await loadModel(golden(name))
    await saveModel(folder, model)
    expect(contents(folder)).toEqual(contents(golden(name)))
    const again = await loadModel(folder)
    expect(again.config).toEqual(config)
    expect(json(join(folder, 'generation_config.json')).eos_token_id).toEqual(
      json(join(golden(name), 'generation_config.json')).eos_token_id,
    )
    model.dispose()
    again.model.dispose()
    expect(memory().tensors).toBe(before)
  })

  it('a scalar model too', async () => {
    const { model } = await loadScalarModel(golden('scalar'))
    await saveScalarModel(folder, model)
    expect(contents(folder)).toEqual(contents(golden('scalar')))
    model.dispose()
    const again = await loadScalarModel(folder)
    again.model.dispose()
  })

  it('weights in another dtype', async () => {
    const { model } = await loadModel(golden('untied'), { dtype: 'bfloat16' })
    await saveModel(folder, model)
    expect(json(join(folder, 'config.json')).dtype).toBe('bfloat16')
    for (const value of contents(folder).values()) expect((value as [string])[0]).toBe('bfloat16')
    const { model: wide } = await loadModel(folder)
    expect(wide.dtype).toBe('float32')
    model.dispose()
    wide.dispose()
  })

  it('weights in shards, and the extra EOS ids of generation_config.json', async () => {
    cpSync(golden('untied'), folder, { recursive: true })
    const { tensors } = readSafetensors(join(folder, 'model.safetensors'))
    const names = [...tensors.keys()]
    const part = (chosen: string[]) => new Map(chosen.map(name => [name, tensors.get(name) as Tensor]))
    writeSafetensors(join(folder, 'a.safetensors'), part(names.slice(0, 5)))
    writeSafetensors(join(folder, 'b.safetensors'), part(names.slice(5)))
    for (const tensor of tensors.values()) tensor.dispose()
    rmSync(join(folder, 'model.safetensors'))
    const map = Object.fromEntries(names.map((name, i) => [name, i < 5 ? 'a.safetensors' : 'b.safetensors']))
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }))
    writeFileSync(join(folder, 'generation_config.json'), JSON.stringify({ eos_token_id: [7, 3] }))
    const { model, config } = await loadModel(folder)
    expect(config.eos).toEqual([7, 3, 2])
    await saveModel(folder, model)
    expect(contents(folder)).toEqual(contents(golden('untied')))
    model.dispose()
  })

  it('says in one line what is wrong and where', async () => {
    await expect(loadModel(join(folder, 'none'))).rejects.toThrow('none: no such folder, expected one with config.json')
    await expect(loadModel(folder)).rejects.toThrow('config.json: cannot be read')
    await expect(loadModel(golden('scalar'))).rejects.toThrow(
      'config.json: architectures: got ["LlamaForTokenClassification"], expected ["LlamaForCausalLM"]',
    )
    cpSync(golden('untied'), folder, { recursive: true })
    const config = json(join(folder, 'config.json'))
    const write = (change: object) =>
      writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, ...change }))
    const before = memory().tensors
    write({ hidden_size: 32 })
    await expect(loadModel(folder)).rejects.toThrow('model.embed_tokens.weight: got shape [64,16], expected [64,32]')
    write({ num_hidden_layers: 2 })
    await expect(loadModel(folder)).rejects.toThrow('missing model.layers.1.self_attn.q_proj.weight')
    write({ tie_word_embeddings: true })
    await expect(loadModel(folder)).rejects.toThrow(
      'lm_head.weight differs from the embeddings, but config.json says tie_word_embeddings: set it to false',
    )
    write({})
    rmSync(join(folder, 'model.safetensors'))
    await expect(loadModel(folder)).rejects.toThrow(
      'neither model.safetensors nor model.safetensors.index.json is there',
    )
    writeFileSync(join(folder, 'config.json'), '{')
    await expect(loadModel(folder)).rejects.toThrow('config.json: got no JSON')
    expect(memory().tensors).toBe(before)
  })
})
