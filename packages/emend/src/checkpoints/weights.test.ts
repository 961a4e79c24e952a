import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readSafetensors, scope, type Tensor, torch, writeSafetensors } from '@emend/torch'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { adaptedDecoder } from '../models/index.js'
import { loadModel, saveModel } from './hugging-face.js'

const goldens = new URL('../../goldens/families/', import.meta.url).pathname
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-weights-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const at = (name: string) => join(folder, name)
const json = (name: string) => JSON.parse(readFileSync(at(name), 'utf8'))
const write = (name: string, value: unknown) => writeFileSync(at(name), JSON.stringify(value))
const INDEX = 'model.safetensors.index.json'

/** A model of our own in the folder, in shards of at most 20 kB. */
async function sharded(golden = 'mistral'): Promise<string[]> {
  const { model } = await loadModel(join(goldens, golden))
  await saveModel(folder, model, { maxShardBytes: 20_000 })
  model.dispose()
  return readdirSync(folder).filter(name => name.endsWith('.safetensors'))
}

/** Every tensor of a folder's files, changed as told, in one file. */
function rewrite(golden: string, change: (tensors: Map<string, Tensor>) => ReadonlyMap<string, Tensor>): void {
  cpSync(join(goldens, golden), folder, { recursive: true })
  scope(() => {
    const { tensors } = readSafetensors(join(goldens, golden, 'model.safetensors'))
    writeSafetensors(at('model.safetensors'), change(tensors), { format: 'pt' })
  })
}

describe('shards', () => {
  it('hold at most so many bytes each, the index says where, and together they are the model', async () => {
    const files = await sharded()
    expect(files.length).toBeGreaterThan(2)
    const { weight_map, metadata } = json(INDEX)
    let bytes = 0
    for (const file of files) {
      expect(file).toMatch(new RegExp(`^model-0000\\d-of-0000${files.length}\\.safetensors$`))
      scope(() => {
        const { tensors } = readSafetensors(at(file))
        const size = [...tensors.values()].reduce((sum, { numel }) => sum + 4 * numel, 0)
        expect(size).toBeLessThanOrEqual(20_000)
        bytes += size
        for (const name of tensors.keys()) expect(weight_map[name]).toBe(file)
      })
    }
    expect(bytes).toBe(metadata.total_size)
    const [ours, theirs] = [await loadModel(folder), await loadModel(join(goldens, 'mistral'))]
    for (const [name, tensor] of theirs.model.stateDict()) {
      expect(torch.equal(tensor, ours.model.stateDict().get(name)!), name).toBe(true)
    }
    ours.model.dispose()
    theirs.model.dispose()
  })

  it('a save in one file removes the shards of the save before, and the other way round', async () => {
    await sharded()
    const { model } = await loadModel(folder)
    await saveModel(folder, model)
    expect(readdirSync(folder).filter(name => name.includes('safetensors'))).toEqual(['model.safetensors'])
    await saveModel(folder, model, { maxShardBytes: 20_000 })
    expect(readdirSync(folder)).not.toContain('model.safetensors')
    expect(readdirSync(folder)).toContain(INDEX)
    model.dispose()
  })

  it('that are corrupt, lie or are not there are one line with the file', async () => {
    const [first, second] = (await sharded()) as [string, string]
    const index = json(INDEX)
    const name = 'model.layers.0.input_layernorm.weight'
    const file = index.weight_map[name] as string
    const fails = (message: string) => expect(loadModel(folder)).rejects.toThrow(message)
    write(INDEX, { weight_map: { ...index.weight_map, [name]: 'gone.safetensors' } })
    await fails(`${at(INDEX)}: names gone.safetensors, which is not there`)
    write(INDEX, { weight_map: { ...index.weight_map, [name]: file === first ? second : first } })
    await fails(`holds ${name}, which ${INDEX} lists in ${file === first ? second : first}`)
    const { [name]: _, ...less } = index.weight_map
    write(INDEX, { weight_map: less })
    await fails(`${at(file)}: holds ${name}, which ${INDEX} lists nowhere`)
    write(INDEX, { weight_map: { ...index.weight_map, invented: first } })
    await fails(`${at(INDEX)}: lists invented in ${first}, which does not hold it`)
    write(INDEX, { weight_map: { ...index.weight_map, [name]: '../elsewhere.safetensors' } })
    await fails('weight_map: got "../elsewhere.safetensors", expected the name of a file beside it')
    write(INDEX, { weight_map: [] })
    await fails(`${at(INDEX)}: weight_map: expected an object`)
    write(INDEX, index)
    truncateSync(at(second), 3000)
    await fails(`safetensors ${at(second)}: `)
    writeFileSync(at(second), Buffer.alloc(3000, 0xff))
    await fails(`safetensors ${at(second)}: header: got a length of`)
  })
})

describe('the config is held against the files before a model is made', () => {
  it.each([
    ['layers without end', { num_hidden_layers: 1e9 }, 'layers: got 1000000000, expected at most 10000'],
    ['more layers than there are', { num_hidden_layers: 9000 }, 'missing model.layers.2.self_attn.q_proj.weight'],
    [
      'a vocabulary of 2^40',
      { vocab_size: 2 ** 40 },
      'model.embed_tokens.weight: got shape [96,32], expected [1099511627776,32]',
    ],
    [
      'a wider feed-forward layer',
      { intermediate_size: 49 },
      'mlp.gate_proj.weight: got shape [48,32], expected [49,32]',
    ],
    ['fewer layers', { num_hidden_layers: 1 }, 'unexpected model.layers.1.'],
    [
      'weights that speak of another family',
      { model_type: 'qwen3', architectures: ['Qwen3ForCausalLM'], head_dim: 8 },
      'missing model.layers.0.self_attn.q_norm.weight',
    ],
  ])('%s', async (_, change, message) => {
    cpSync(join(goldens, 'mistral'), folder, { recursive: true })
    write('config.json', { ...json('config.json'), ...change })
    const began = performance.now()
    const error = await loadModel(folder).then(
      () => expect.unreachable(),
      error => error as Error,
    )
    expect(error.message).toContain(message)
    expect(error.message).not.toContain('\n')
    expect(error.message.length).toBeLessThan(1500)
    expect(performance.now() - began).toBeLessThan(1000)
  })

  it('numbers that are no floating-point numbers are refused by name', async () => {
    rewrite('mistral', tensors => tensors.set('lm_head.weight', tensors.get('lm_head.weight')!.to('int32')))
    await expect(loadModel(folder)).rejects.toThrow('lm_head.weight: got int32, expected one of float32, bfloat16')
  })

  it('an untied model without its vocabulary projection', async () => {
    rewrite('mistral', tensors => {
      tensors.delete('lm_head.weight')
      return tensors
    })
    await expect(loadModel(folder)).rejects.toThrow(
      `${folder}: the weights do not fit config.json: missing lm_head.weight`,
    )
  })

  it('tied embeddings may stand in the file twice, but only if they are equal', async () => {
    rewrite('qwen3', tensors => tensors.set('lm_head.weight', tensors.get('model.embed_tokens.weight')!.clone()))
    const { model } = await loadModel(folder)
    expect(model.lm_head).toBeUndefined()
    model.dispose()
    rewrite('qwen3', tensors => tensors.set('lm_head.weight', tensors.get('model.embed_tokens.weight')!.mul(2)))
    await expect(loadModel(folder)).rejects.toThrow('model.safetensors: lm_head.weight differs from the embeddings')
  })

  it('a folder with weights in another format says how to convert them', async () => {
    copyFileSync(join(goldens, 'mistral', 'config.json'), at('config.json'))
    writeFileSync(at('pytorch_model.bin'), '')
    await expect(loadModel(folder)).rejects.toThrow('(pytorch_model.bin is not read: save it as safetensors')
  })
})

describe('layouts', () => {
  it("OpenAI's GPT-2: names of the trunk alone, causal masks among the weights", async () => {
    rewrite('gpt2', tensors => {
      const bare = new Map([...tensors].map(([name, tensor]) => [name.replace('transformer.', ''), tensor]))
      return bare.set('h.0.attn.bias', torch.ones([1, 1, 64, 64])).set('h.1.attn.masked_bias', torch.zeros([]))
    })
    const [bare, whole] = [await loadModel(folder), await loadModel(join(goldens, 'gpt2'))]
    for (const [name, tensor] of whole.model.stateDict()) {
      expect(torch.equal(tensor, bare.model.stateDict().get(name)!), name).toBe(true)
    }
    bare.model.dispose()
    whole.model.dispose()
  })

  it("dtype 'auto' is that of most of the numbers; a save may convert", async () => {
    rewrite('mistral', tensors => {
      const halves = [...tensors].map(([name, t]) => [name, name.includes('norm') ? t : t.to('float16')] as const)
      return new Map(halves)
    })
    const { model } = await loadModel(folder, { dtype: 'auto' })
    expect(model.dtype).toBe('float16')
    await saveModel(at('wide'), model, { dtype: 'float32' })
    expect(json('wide/config.json').dtype).toBe('float32')
    const wide = await loadModel(at('wide'), { dtype: 'auto' })
    expect(wide.model.dtype).toBe('float32')
    for (const [name, tensor] of model.stateDict()) {
      expect(torch.equal(tensor.to('float32'), wide.model.stateDict().get(name)!), name).toBe(true)
    }
    model.dispose()
    wide.model.dispose()
  })

  it('a model that reads through an adapter is not saved as if it had none', async () => {
    const { model } = await loadModel(join(goldens, 'mistral'))
    const adapted = adaptedDecoder(model, { rank: 2, alpha: 2, targets: ['q_proj'] }, 1)
    await expect(saveModel(at('out'), adapted)).rejects.toThrow('merge the adapter first, or save it as an adapter')
    adapted.dispose()
  })
})

describe('other files', () => {
  it('come along: tokenizer, templates, generation settings; weights and folders do not', async () => {
    const source = at('source')
    cpSync(join(goldens, 'mistral'), source, { recursive: true })
    const files = {
      'tokenizer.json': '{"a": 1}',
      'tokenizer_config.json': '{}',
      'chat_template.jinja': '{{ x }}',
      'merges.txt': 'a b',
      LICENSE: 'free',
      'pytorch_model.bin': 'old weights',
      'pytorch_model.bin.index.json': '{}',
      'generation_config.json': '{"temperature": 0.3, "eos_token_id": [7, 9], "bos_token_id": 1}',
    }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(source, name), text)
    mkdirSync(join(source, 'onnx'))
    mkdirSync(join(source, 'additional_chat_templates'))
    writeFileSync(join(source, 'additional_chat_templates', 'tools.jinja'), '{{ y }}')
    writeFileSync(at('linked.txt'), 'in the cache')
    symlinkSync(at('linked.txt'), join(source, 'special_tokens_map.json'))
    const { model } = await loadModel(source)
    await saveModel(at('out'), model, { carryFrom: source })
    model.dispose()
    expect(readdirSync(at('out')).sort()).toEqual([
      'LICENSE',
      'additional_chat_templates',
      'chat_template.jinja',
      'config.json',
      'generation_config.json',
      'greedy.json',
      'merges.txt',
      'model.safetensors',
      'special_tokens_map.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ])
    expect(readFileSync(at('out/additional_chat_templates/tools.jinja'), 'utf8')).toBe('{{ y }}')
    expect(readFileSync(at('out/special_tokens_map.json'), 'utf8')).toBe('in the cache')
    expect(json('out/generation_config.json')).toEqual({
      temperature: 0.3,
      bos_token_id: 1,
      eos_token_id: [7, 9],
      pad_token_id: 0,
    })
  })

  it('from nowhere is an error, from the folder itself nothing happens', async () => {
    const { model } = await loadModel(join(goldens, 'mistral'))
    await expect(saveModel(at('out'), model, { carryFrom: at('none') })).rejects.toThrow('none: no such folder')
    await saveModel(at('out'), model)
    writeFileSync(at('out/tokenizer.json'), '{}')
    await saveModel(at('out'), model, { carryFrom: at('out') })
    expect(readFileSync(at('out/tokenizer.json'), 'utf8')).toBe('{}')
    model.dispose()
  })
})
