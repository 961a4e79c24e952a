import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memory } from '@emend/torch'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { EmendError } from '../../errors.js'
import { changed, golden } from './goldens.fixture.js'
import { readGgufHeader } from './header.js'
import { loadGguf, openGguf } from './index.js'

const folder = mkdtempSync(join(tmpdir(), 'emend-gguf-lies-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const path = join(folder, 'lying.gguf')

const whole = readFileSync(golden('llama'))
/** Where the tensors' bytes begin. */
const dataAt = (bytes: Buffer) => {
  writeFileSync(path, bytes)
  return Math.min(...[...readGgufHeader(path).tensors.values()].map(tensor => tensor.begin))
}
const patched = (at: number, bytes: readonly number[]) =>
  Buffer.concat([whole.subarray(0, at), Buffer.from(bytes), whole.subarray(at + bytes.length)])
const huge = [0, 0, 0, 0, 0, 0, 0, 16]
/** Where the first key's text stands: magic, version and two counts are 24 bytes, its length 8. */
const KEY = 32
/** Where the list of tensors begins: with the length of the first one's name. */
const TENSORS = whole.indexOf('token_embd.weight') - 8

/** Loads a file that must be refused: in one line, at once, with nothing left behind. */
async function refusal(bytes?: Buffer): Promise<string> {
  if (bytes) writeFileSync(path, bytes)
  const before = memory().tensors
  const from = performance.now()
  const error = await loadGguf(path).then(
    () => new Error('was not refused'),
    (error: unknown) => error,
  )
  expect(performance.now() - from).toBeLessThan(2000)
  expect(error).toBeInstanceOf(EmendError)
  expect(memory().tensors).toBe(before)
  const { message } = error as Error
  expect(message).not.toContain('\n')
  expect(message).toContain('lying.gguf: ')
  return message
}

describe('a file that lies or is cut off', () => {
  // biome-ignore format: a table
  const lies: [string, () => Buffer, string][] = [
    ['an empty file', () => Buffer.alloc(0), 'magic: the file ends after 0 bytes'],
    ['something else', () => Buffer.from('PK\u0003\u0004 not a model'), 'this is no GGUF file'],
    ['a stump of 3,000 bytes of a real vocabulary', () => whole.subarray(0, 3000), 'the file ends after 3000 bytes, in the middle of its header'],
    ['a stump within the tensors', () => whole.subarray(0, whole.length - 100), 'but the file has'],
    ['version 1', () => patched(4, [1, 0, 0, 0]), 'version: got 1, expected 2 or 3'],
    ['the other byte order', () => patched(4, [0, 0, 0, 3]), 'big-endian files are not supported'],
    ['2^60 tensors', () => patched(8, huge), 'tensor count: got 1152921504606846976, but the'],
    ['2^60 entries', () => patched(16, huge), 'metadata count: got 1152921504606846976, but the'],
    ['a key of 2^60 bytes', () => patched(24, huge), 'metadata 1 of'],
    ['an unknown type of value', () => patched(KEY + whole.readUInt32LE(24), [77, 0, 0, 0]), 'got a value of type 77, expected 0 to 12'],
    ['9 dimensions', () => patched(TENSORS + 25, [9, 0, 0, 0]), 'tensor token_embd.weight: got 9 dimensions, expected 1 to 4'],
    ['a dimension of 2^60', () => patched(TENSORS + 29, huge), 'tensor token_embd.weight: got 1152921504606846976, which no model needs'],
    ['a tensor far past the end', () => patched(TENSORS + 29, [0, 0, 0, 0, 1, 0, 0, 0]), 'tensor token_embd.weight: ends at byte'],
    ['a quantisation that is not read', () => patched(TENSORS + 45, [10, 0, 0, 0]), 'tensor token_embd.weight: type Q2_K is not supported, only F32, F16, Q4_0'],
    ['a type that does not exist', () => patched(TENSORS + 45, [99, 0, 0, 0]), 'tensor token_embd.weight: type 99 is not supported'],
    ['an offset that is not aligned', () => patched(TENSORS + 49, [1, 0, 0, 0, 0, 0, 0, 0]), 'tensor token_embd.weight: offset: got 1, expected a multiple of 32'],
    ['tensors that overlap', () => patched(TENSORS + 49, [32, 0, 0, 0, 0, 0, 0, 0]), 'overlaps'],
  ]
  it.each(lies)('%s', async (_, make, message) => {
    expect(await refusal(make())).toContain(message)
  })

  // biome-ignore format: a table
  const changes: [string, Parameters<typeof changed>[2], string][] = [
    ['no architecture', { metadata: { 'general.architecture': undefined } }, 'general.architecture: is missing'],
    ['another architecture', { metadata: { 'general.architecture': 'mamba' } }, 'general.architecture: "mamba" is not supported, only llama, qwen2'],
    ['an adapter', { metadata: { 'general.type': 'adapter' } }, 'general.type: "adapter" is not supported, only whole models'],
    ['one part of several', { metadata: { 'split.count': 3 } }, 'split.count: this is one of 3 files; join them'],
    ['a missing tensor', { shapes: { 'blk.1.ffn_up.weight': undefined } }, 'missing tensor blk.1.ffn_up.weight'],
    ['a tensor too many', { shapes: { 'blk.0.ffn_gate_exps.weight': [2, 2] } }, 'unexpected tensor blk.0.ffn_gate_exps.weight'],
    ['a wrong shape', { shapes: { 'blk.1.attn_k.weight': [32, 32] } }, 'tensor blk.1.attn_k.weight: got shape [32,32], expected [16,32]'],
    ['a wrong vocabulary', { metadata: { 'tokenizer.ggml.tokens': ['a', 'b'] } }, 'tokenizer.ggml.tokens: got 2 tokens, but token_embd.weight has 96 rows'],
    ['types of fewer tokens', { metadata: { 'tokenizer.ggml.token_type': [1, 2] } }, 'tokenizer.ggml.token_type: got 2 values, expected 96'],
    ['a special token outside', { metadata: { 'tokenizer.ggml.eos_token_id': 96 } }, "tokenizer.ggml.eos_token_id: got 96, expected an id below the vocabulary's 96"],
    ['an unknown pre-tokenizer', { metadata: { 'tokenizer.ggml.pre': 'klingon' } }, 'tokenizer.ggml.pre: "klingon" is not a way of cutting text that is known here; known are gpt-2, smollm'],
    ['an unknown tokenizer', { metadata: { 'tokenizer.ggml.model': 'rwkv' } }, 'tokenizer.ggml.model: "rwkv" is not supported, only gpt2, llama'],
    ['no vocabulary', { metadata: { 'tokenizer.ggml.tokens': undefined } }, 'tokenizer.ggml.tokens: is missing'],
    ['a merge of nothing', { metadata: { 'tokenizer.ggml.merges': ['a b', 'q zz'] } }, 'tokenizer.ggml.merges: merge 1: got "q zz", expected two tokens that make a third'],
    ['SentencePiece without scores', { metadata: { 'tokenizer.ggml.model': 'llama' } }, 'tokenizer.ggml.scores: is missing'],
    ['more layers than tensors', { metadata: { 'llama.block_count': 4e9 } }, 'llama.block_count: got 4000000000, but the file has only'],
    ['no heads', { metadata: { 'llama.attention.head_count': 0 } }, 'llama.attention.head_count: got 0, expected at least 1'],
    ['a setting of another type', { metadata: { 'llama.context_length': 'long' } }, 'llama.context_length: got "long", expected a number'],
    ['a setting that is not supported', { metadata: { 'llama.expert_count': 8 } }, 'llama.expert_count: is a setting that is not supported here'],
    ['partial rotations', { metadata: { 'llama.rope.dimension_count': 4 } }, 'llama.rope.dimension_count: 4 is not supported, only the width of a head, 8'],
    ['an unknown scaling', { metadata: { 'llama.rope.scaling.type': 'longrope' } }, 'llama.rope.scaling.type: "longrope" with these settings is not supported'],
    ['divisors of another kind', { shapes: { 'rope_freqs.weight': [4] } }, "rope_freqs.weight: these divisors are not Llama 3's"],
    ['an alignment of 33', { metadata: { 'general.alignment': 33 } }, 'general.alignment: got 33, expected a power of two'],
  ]
  it.each(changes)('%s', async (_, change, message) => {
    changed(golden('llama'), path, change)
    expect(await refusal()).toContain(message)
  })

  it('scaling by keys: linear, and none where the factor is 1', () => {
    const scaling = (factor: number) => {
      const metadata = { 'llama.rope.scaling.type': 'linear', 'llama.rope.scaling.factor': factor }
      changed(golden('llama'), path, { metadata })
      return openGguf(path).config.ropeScaling
    }
    expect(scaling(4)).toEqual({ type: 'linear', factor: 4 })
    expect(scaling(1)).toBe(null)
  })

  it('a folder, and what is not there', () => {
    expect(() => openGguf(folder)).toThrow('not a file, expected a GGUF file')
    expect(() => openGguf(join(folder, 'none.gguf'))).toThrow('none.gguf: cannot be read: ENOENT')
  })

  it('any prefix of a file is refused (property)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 33), async length => {
        await refusal(whole.subarray(0, length))
      }),
      { numRuns: 150 },
    )
  })

  it('changed bytes of a header: a model or a clear error, never a crash or a hang (property)', async () => {
    const bytes = readFileSync(golden('qwen3'))
    const length = dataAt(bytes)
    const before = process.memoryUsage().rss
    const flips = fc.array(fc.tuple(fc.nat(length - 1), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 127, 128, 255))), {
      minLength: 1,
      maxLength: 6,
    })
    await fc.assert(
      fc.asyncProperty(flips, async changes => {
        const copy = Buffer.from(bytes)
        for (const [at, value] of changes) copy[at] = value
        writeFileSync(path, copy)
        const tensors = memory().tensors
        const from = performance.now()
        try {
          const { model } = await loadGguf(path)
          model.dispose()
        } catch (error) {
          if (!(error instanceof EmendError)) throw error
          expect(error.message).not.toContain('\n')
        }
        expect(performance.now() - from).toBeLessThan(2000)
        expect(memory().tensors).toBe(tensors)
      }),
      { numRuns: 600 },
    )
    expect(process.memoryUsage().rss - before).toBeLessThan(500e6)
  })
})
