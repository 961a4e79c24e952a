import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memory, noGrad, scope, tensor } from '@emend/torch'
import { afterAll, describe, expect, it } from 'vitest'
import { LanguageModel } from '../../language-model.js'
import { createDecoder, type Decoder, decoderConfig } from '../../models/index.js'
import { loadModel } from '../index.js'
import { golden } from './goldens.fixture.js'
import { type GgufHeader, readGgufHeader } from './header.js'
import { convertModel, loadGguf, saveGguf } from './index.js'
import type { WrittenType } from './quantize.js'
import { readBytes } from './tensor-data.js'
import { tokenizerFiles } from './vocabulary.js'

const folder = mkdtempSync(join(tmpdir(), 'emend-gguf-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

// Logits by transformers of the models in the golden files: goldens/gguf/make-families.py, which also had transformers
// read what is written here (--check).
const { ids, logits } = JSON.parse(
  readFileSync(new URL('../../../goldens/gguf/logits.json', import.meta.url), 'utf8'),
) as {
  ids: number[]
  logits: Record<string, number[][]>
}
const NAMES = Object.keys(logits)
// By llama.cpp: goldens/gguf/make-llama-cpp.mjs, which also found the same in what is written here.
const continued = JSON.parse(
  readFileSync(new URL('../../../goldens/gguf/llama-cpp.json', import.meta.url), 'utf8'),
) as Record<string, { token: number; best: [id: number, probability: number][] }[]>
const TYPES: Readonly<Record<string, WrittenType>> = { llama: 'F16', qwen2: 'BF16', qwen3: 'Q8_0' }

/** The largest distance of a model's logits from the golden ones. */
const distance = (model: Decoder, name: string): number =>
  scope(() =>
    noGrad(() => {
      const expected = tensor(logits[name]!)
      const input = tensor(Int32Array.from(ids), { dtype: 'int64', shape: [1, ids.length] })
      return model.logits(model.hidden(input)).view(expected.shape).sub(expected).abs().max().item()
    }),
  )

/** Settings and weights that concern the decoder. */
const settings = ({ metadata }: GgufHeader) =>
  Object.fromEntries([...metadata].filter(([key]) => /^(llama|qwen|gemma|gpt2|tokenizer)/.test(key)))

describe('architectures', () => {
  it.each(NAMES)('%s as the gguf package writes it: the logits of transformers', async name => {
    const before = memory().tensors
    const { model, config, tokenizer } = await loadGguf(golden(name))
    expect(distance(model, name)).toBeLessThan(1e-4)
    expect([config.bos, config.eos, config.pad, tokenizer.vocabSize]).toEqual([1, [2], 0, 96])
    model.dispose()
    expect(memory().tensors).toBe(before)
  })

  it.each(NAMES)('%s: the tokens and probabilities of llama.cpp', async name => {
    const { model } = await loadGguf(golden(name))
    const steps = continued[name]!
    const sequence = Int32Array.from([...ids, ...steps.map(({ token }) => token)])
    const rows = scope(() =>
      noGrad(() => {
        const hidden = model.hidden(tensor(sequence, { dtype: 'int64', shape: [1, sequence.length] }))
        return model.logits(hidden).select(0, 0).softmax(-1).tolist() as number[][]
      }),
    )
    for (const [i, { token, best }] of steps.entries()) {
      const row = rows[ids.length - 1 + i]!
      expect(row.indexOf(Math.max(...row))).toBe(token)
      for (const [id, probability] of best) expect(Math.abs(row[id]! - probability)).toBeLessThan(1e-3)
    }
    model.dispose()
  })

  it.each(NAMES)('%s written again: the same tensors and settings', async name => {
    const { model } = await loadGguf(golden(name))
    const theirs = readGgufHeader(golden(name))
    const path = join(folder, `${name}.gguf`)
    saveGguf(path, model, tokenizerFiles(theirs), { type: TYPES[name] ?? 'F32' })
    model.dispose()
    const ours = readGgufHeader(path)
    expect([...ours.tensors.keys()].sort()).toEqual([...theirs.tensors.keys()].sort())
    for (const [tensorName, their] of theirs.tensors) {
      const our = ours.tensors.get(tensorName)!
      expect([our.type, our.shape], tensorName).toEqual([their.type, their.shape])
      const [mine, others] = [readBytes(path, our), readBytes(golden(name), their)]
      // Gemma's norms lose a bit on the way through w - 1, and the divisors are computed anew.
      if (/gemma.*norm|rope_freqs/.test(name + tensorName)) {
        const floats = (bytes: Uint8Array) => new Float32Array(bytes.buffer)
        floats(mine).forEach((x, i) => void expect(Math.abs(x - floats(others)[i]!)).toBeLessThan(1e-5))
      } else expect(mine, tensorName).toEqual(others)
    }
    expect(settings(ours)).toMatchObject(settings(theirs))
  })

  it('to a Hugging Face folder and back, the numbers and the tokenizer stay what they are', async () => {
    const [out, back] = [join(folder, 'out'), join(folder, 'back.gguf')]
    expect(await convertModel(golden('qwen3'), out)).toMatchObject({ format: 'hf', type: 'f32' })
    expect(await convertModel(out, back, { type: 'q8_0' })).toMatchObject({ format: 'gguf', type: 'q8_0' })
    const { model } = await loadModel(out)
    expect(distance(model, 'qwen3')).toBeLessThan(1e-4)
    model.dispose()
    const [ours, theirs] = [readGgufHeader(back), readGgufHeader(golden('qwen3'))]
    for (const [name, tensor] of theirs.tensors)
      expect(readBytes(back, ours.tensors.get(name)!), name).toEqual(readBytes(golden('qwen3'), tensor))
    expect(tokenizerFiles(ours)).toEqual(tokenizerFiles(theirs))
    expect(ours.metadata.get('general.name')).toBe('out')
  })

  it('an adapter is merged into the weights that it names', async () => {
    const base = await LanguageModel.load(golden('llama3'))
    const adapted = base.adapted({ rank: 2, alpha: 4, targets: ['q_proj', 'up_proj'] }, 3)
    // B starts as zeros; with ones, W grows by α/r times the sum of A's rows: the same in each of its own rows.
    scope(() =>
      noGrad(() => adapted.decoder.trainable().forEach((w, name) => void (/lora_B|\.b$/.test(name) && w.fill_(1)))),
    )
    await adapted.save(join(folder, 'adapter'))
    const merged = join(folder, 'merged.gguf')
    await convertModel(join(folder, 'adapter'), merged, { type: 'f32' })
    const { model } = await loadGguf(merged)
    const [before, after] = [base.decoder.stateDict(), model.stateDict()]
    for (const [name, weight] of after) {
      const change = weight.sub(before.get(name)!)
      if (!/q_proj|up_proj/.test(name)) expect(change.abs().max().item(), name).toBe(0)
      else {
        expect(change.abs().max().item(), name).toBeGreaterThan(0.1)
        expect(
          change
            .sub(change.narrow(0, 0, 1))
            .abs()
            .max()
            .item(),
          name,
        ).toBeLessThan(1e-5)
      }
    }
    model.dispose()
  })

  it('F16 numbers are those of the source, rounded once, in a file and in a folder alike', async () => {
    const [f16, folderF16] = [join(folder, 'f16.gguf'), join(folder, 'f16')]
    await convertModel(golden('llama3'), f16, { type: 'f16' })
    await convertModel(golden('llama3'), folderF16, { type: 'f16' })
    const [a, b] = [await loadGguf(f16), await loadModel(folderF16)]
    expect(a.config).toEqual(b.config)
    const other = b.model.stateDict()
    for (const [name, weight] of a.model.stateDict())
      if (weight.ndim === 2) expect(weight.floats(), name).toEqual(other.get(name)!.floats())
    a.model.dispose()
    b.model.dispose()
  })
})

describe('what llama.cpp cannot be told is refused by name', () => {
  const files = tokenizerFiles(readGgufHeader(golden('llama')))
  const shape = { vocabSize: 96, hiddenSize: 32, layers: 2, heads: 4, eos: [2] }
  it.each([
    [{ slidingWindow: 8 }, 'slidingWindow 8 cannot be written: llama.cpp takes a llama to have null'],
    [{ activation: 'gelu' as const }, 'activation "gelu" cannot be written'],
    [{ family: 'gemma2', attentionScale: 0.2 }, 'cannot be written: llama.cpp takes a gemma2 to have'],
    [
      { ropeScaling: { type: 'dynamic' as const, factor: 2 } },
      'ropeScaling {"type":"dynamic","factor":2} cannot be written',
    ],
    [{ family: 'bloom' }, 'models of family bloom are not written, only llama, mistral, qwen2'],
  ])('%j', (change, message) => {
    const model = createDecoder(decoderConfig({ ...shape, ...change }), 1)
    const path = join(folder, 'refused.gguf')
    expect(() => saveGguf(path, model, files)).toThrow(message)
    expect(() => readGgufHeader(path)).toThrow('cannot be read')
    model.dispose()
  })

  it('a folder holds no q8_0, and a file is not written over itself', async () => {
    await expect(convertModel(golden('llama'), join(folder, 'x'), { type: 'q8_0' })).rejects.toThrow(
      'q8_0: a Hugging Face',
    )
    await expect(convertModel(golden('llama'), golden('llama'))).rejects.toThrow('is the source itself')
    await expect(convertModel(join(folder, 'none.gguf'), join(folder, 'x'))).rejects.toThrow(
      'none.gguf: cannot be read',
    )
  })
})
