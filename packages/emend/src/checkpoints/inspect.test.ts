import { cpSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memory } from '@emend/torch'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { golden } from './gguf/goldens.fixture.js'
import { convertModel } from './gguf/index.js'
import { inspectModel } from './inspect.js'

const folder = mkdtempSync(join(tmpdir(), 'emend-inspect-'))
const converted = join(folder, 'qwen3')
beforeAll(() => convertModel(golden('qwen3'), converted, { type: 'bf16' }).then(() => {}))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

// 96 rows and a last norm of 32; in each of 2 layers q and o of 4 heads of 16, k and v of 2, gate, up and down of 64, the
// norms of the layer, and those of q and k.
const PARAMETERS = 96 * 32 + 32 + 2 * (2 * 64 * 32 + 2 * 32 * 32 + 3 * 64 * 32 + 2 * 32 + 2 * 16)

describe('inspect', () => {
  it.each([
    ['a GGUF file', () => golden('qwen3'), 'Q8_0'],
    ['a folder', () => converted, 'bfloat16'],
  ])('%s: numbers worked out by hand, and no tensor made', (_, path, dtype) => {
    const before = memory().tensors
    const found = inspectModel(path())
    expect(found).toMatchObject({
      architecture: 'Qwen3ForCausalLM',
      parameters: PARAMETERS,
      dtype,
      vocabSize: 96,
      contextLength: 64,
      tokenizer: { kind: 'BPE', tokens: 96, bos: '<bos>', eos: '<eos>', pad: '<pad>', chatTemplate: true },
    })
    expect(found.memory.weights).toEqual({ float32: 4 * PARAMETERS, bfloat16: 2 * PARAMETERS })
    // keys and values, 2 layers, 2 heads of 16
    expect(found.memory.cachePerToken).toEqual({ float32: 4 * 128, bfloat16: 2 * 128 })
    const sft = found.memory.stages.find(({ stage }) => stage === 'sft')!.estimate
    expect([sft.weights, sft.gradients, sft.optimizer]).toEqual([1, 1, 2].map(n => n * 4 * PARAMETERS))
    expect(memory().tensors).toBe(before)
  })

  it('a reward model, without a tokenizer', () => {
    const path = new URL('../../goldens/llama/scalar', import.meta.url).pathname
    expect(inspectModel(path)).toMatchObject({ architecture: 'LlamaForTokenClassification', tokenizer: null })
  })

  it('an adapter, and the model that it changes', () => {
    const adapter = join(folder, 'adapter')
    mkdirSync(adapter)
    const settings = { peft_type: 'LORA', task_type: 'CAUSAL_LM', r: 4, lora_alpha: 8, target_modules: ['q_proj'] }
    const write = (base: string) =>
      writeFileSync(
        join(adapter, 'adapter_config.json'),
        JSON.stringify({ ...settings, base_model_name_or_path: base }),
      )
    write('../qwen3')
    expect(inspectModel(adapter)).toMatchObject({
      architecture: 'Qwen3ForCausalLM',
      parameters: PARAMETERS,
      adapter: { lora: { rank: 4, alpha: 8, targets: ['q_proj'] }, base: converted },
    })
    write('../nowhere')
    expect(() => inspectModel(adapter)).toThrow('the weights that the adapter changes are not where it says')
  })

  it('what is wrong is said in a line', () => {
    expect(() => inspectModel(folder)).toThrow('no such model, expected a folder with config.json or a .gguf file')
    expect(() => inspectModel(join(folder, 'none'))).toThrow(
      'none: no such model, expected a folder with config.json or',
    )
    const cut = join(folder, 'cut')
    cpSync(converted, cut, { recursive: true })
    truncateSync(join(cut, 'model.safetensors'), 5000)
    expect(() => inspectModel(cut)).toThrow('model.safetensors: tensor')
  })
})
