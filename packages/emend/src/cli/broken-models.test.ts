/** Models that lie, break off or never end, through the command itself: one clear line each, and nothing left behind. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readSafetensors, scope, writeSafetensors } from '@emend/torch'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Change, changed, golden } from '../checkpoints/gguf/goldens.fixture.js'
import { convertModel } from '../checkpoints/gguf/index.js'
import { runCli } from './run-cli.js'

// A space in the path, as people have them.
const root = mkdtempSync(join(tmpdir(), 'emend broken '))
const whole = join(root, 'whole')
let out: string
let err: string

beforeAll(() => convertModel(golden('qwen2'), whole, { type: 'f32' }))
afterAll(() => rmSync(root, { recursive: true, force: true }))
beforeEach(() => {
  out = ''
  err = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text, done?: unknown) => {
    out += text
    ;(done as (() => void) | undefined)?.()
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation(text => {
    err += text
    return true
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

const WEIGHTS = 'model.safetensors'
const SHARD = 'model-00001-of-00001.safetensors'

/** A copy of the folder, broken by `how`. */
function folder(how: (path: string) => void): string {
  const path = mkdtempSync(join(root, 'folder '))
  cpSync(whole, path, { recursive: true })
  how(path)
  return path
}

/** A file, written by `how`. */
function file(how: (path: string) => void): string {
  const path = join(mkdtempSync(join(root, 'file ')), 'model.gguf')
  how(path)
  return path
}

const json = (path: string, name: string, change: object) => {
  const before = JSON.parse(readFileSync(join(path, name), 'utf8'))
  writeFileSync(join(path, name), JSON.stringify({ ...before, ...change }))
}

/** A copy of the folder with its weights in a shard behind an index, broken by `how`. */
const sharded = (how: (shard: string) => void): string =>
  folder(path => {
    const names = scope(() => [...readSafetensors(join(path, WEIGHTS)).tensors.keys()])
    renameSync(join(path, WEIGHTS), join(path, SHARD))
    const weight_map = Object.fromEntries(names.map(name => [name, SHARD]))
    writeFileSync(join(path, `${WEIGHTS}.index.json`), JSON.stringify({ weight_map }))
    how(join(path, SHARD))
  })

/** The weights with one left out, or in another shape. */
function reshaped(path: string, name: string, shape?: readonly number[]): void {
  scope(() => {
    const tensors = new Map(readSafetensors(join(path, WEIGHTS)).tensors)
    const tensor = tensors.get(name)!.clone()
    if (shape) tensors.set(name, tensor.reshape(shape))
    else tensors.delete(name)
    const kept = new Map([...tensors].map(([key, one]) => [key, one.clone()]))
    rmSync(join(path, WEIGHTS))
    writeSafetensors(join(path, WEIGHTS), kept)
  })
}

const cut = (bytes: number) => (path: string) => writeFileSync(path, readFileSync(golden('llama')).subarray(0, bytes))
const lying = (change: Change) => (path: string) => changed(golden('qwen2'), path, change)
const UP = 'model.layers.0.mlp.up_proj.weight'
const words = (n: number) => Array.from({ length: n }, (_, i) => `w${i}`)

describe.each([
  ['a shard that is cut off', () => sharded(shard => truncateSync(shard, 9000)), /there are \d+ bytes of data/],
  ['a shard that is not there', () => sharded(shard => rmSync(shard)), /names model-00001-of-00001/],
  ['a shard of garbage', () => sharded(shard => writeFileSync(shard, Buffer.alloc(9000, 255))), /header/],
  ['a missing tensor', () => folder(path => reshaped(path, UP)), /missing model\.layers\.0\.mlp\.up_proj\.weight/],
  [
    'a tensor of a wrong shape',
    () => folder(path => reshaped(path, UP, [32, 64])),
    /up_proj\.weight: got shape \[32,64\], expected \[64,32\]/,
  ],
  [
    'a vocabulary larger than its table',
    () => folder(path => json(path, 'config.json', { vocab_size: 90 })),
    /embed_tokens\.weight: got shape \[96,32\], expected \[90,32\]/,
  ],
  [
    'a tokenizer larger than the model',
    () =>
      folder(path =>
        json(path, 'tokenizer.json', {
          added_tokens: [
            {
              id: 96,
              content: '<x>',
              special: true,
              single_word: false,
              lstrip: false,
              rstrip: false,
              normalized: false,
            },
          ],
        }),
      ),
    /the tokenizer knows 97 tokens, the model only 96|token 96 is outside the model's embedding table of 96/,
  ],
  [
    'another architecture',
    () => folder(path => json(path, 'config.json', { model_type: 'mamba' })),
    /model_type "mamba" is not supported, only llama/,
  ],
  ['a stump of 3,000 bytes', () => file(cut(3000)), /model\.gguf: .*(cut off|ends after 3000 bytes)/],
  ['a file cut off in its data', () => file(cut(20_000)), /ends at byte \d+, but the file has 20000: it is cut off/],
  ['an empty file', () => file(cut(0)), /the file ends after 0 bytes/],
  [
    'a file with a tensor missing',
    () => file(lying({ shapes: { 'blk.0.ffn_up.weight': undefined } })),
    /missing tensor blk\.0\.ffn_up\.weight/,
  ],
  [
    'a file with a tensor of a wrong shape',
    () => file(lying({ shapes: { 'blk.0.ffn_up.weight': [32, 64] } })),
    /blk\.0\.ffn_up\.weight: got shape \[32,64\], expected \[64,32\]/,
  ],
  [
    'a file with too many tokens',
    () => file(lying({ metadata: { 'tokenizer.ggml.tokens': words(97) } })),
    /got 97 tokens, but token_embd\.weight has 96 rows/,
  ],
])('%s', (_, make, message) => {
  it.each([
    ['inspect', (path: string) => ['inspect', path]],
    ['generate', (path: string) => ['generate', '--model', path, '--prompt', 'a', '--max-new-tokens', '1']],
    ['convert', (path: string) => ['convert', path, join(root, 'out.gguf')]],
  ])('%s says so in a line', async (_, command) => {
    const path = make()
    expect(await runCli(command(path))).toBe(1)
    expect(err).toMatch(/^emend: [^\n]+\n$/)
    expect(err).toMatch(message)
    expect(out).toBe('')
    expect(existsSync(join(root, 'out.gguf'))).toBe(false)
  })
})

describe('a chat template', () => {
  const answer = (chat_template: unknown) => [
    'generate',
    '--model',
    folder(path => json(path, 'tokenizer_config.json', { chat_template })),
    ...['--chat', '--prompt', 'a', '--max-new-tokens', '1'],
  ]
  it.each([
    ['that throws', "{{ raise_exception('only the system may speak') }}", /only the system may speak/],
    [
      'that never ends',
      '{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}',
      /it has not ended after 2 s/,
    ],
    [
      'that fills the memory',
      "{% set n = namespace(x='ab') %}{% for a in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
      /Invalid string length|memory/,
    ],
    ['that is broken', '{% if %}', /cannot be rendered/],
    ['that is none', null, /the model has no chat template/],
    ['that writes nothing', '', /no token/],
  ])('%s is one clear line', async (_, template, message) => {
    expect(await runCli(answer(template))).toBe(1)
    expect(err).toMatch(/^emend: [^\n]+\n$/)
    expect(err).toMatch(message)
  })
})

it('a place that cannot be written is one clear line', async () => {
  for (const place of ['/proc/none/x.gguf', join(golden('qwen2'), 'x.gguf'), join(golden('qwen2'), 'x')]) {
    err = ''
    expect(await runCli(['convert', whole, place])).toBe(1)
    expect(err).toMatch(/^emend: [^\n]+: cannot be written \(E[A-Z]+\); choose another destination\n$/)
    expect(err).toContain(place)
  }
})

it('an adapter that could not be saved is refused before it is trained', async () => {
  const edits = join(root, 'one.jsonl')
  writeFileSync(edits, '{"prompt": "a", "draft": "b", "final": "c"}')
  const sft = ['sft', '--model', golden('gpt2'), '--edits', edits, '--out', join(root, 'gpt2'), '--set', 'lora.rank=2']
  expect(await runCli([...sft, '--quiet'])).toBe(1)
  expect(err).toMatch(/^emend: lora: adapters of gpt2 are not supported: [^\n]+\n$/)
  expect(existsSync(join(root, 'gpt2', 'metrics.jsonl'))).toBe(false)
})

it('PAD = EOS, as SmolLM2 has it: prompts of several lengths, and an end that is learnt', async () => {
  const model = folder(path => {
    json(path, 'config.json', { pad_token_id: 2, eos_token_id: 2 })
    json(path, 'generation_config.json', { pad_token_id: 2, eos_token_id: 2 })
    json(path, 'tokenizer_config.json', { pad_token: '<eos>', eos_token: '<eos>' })
  })
  const edits = join(root, 'edits.jsonl')
  const lines = [1, 3, 6].map(n => JSON.stringify({ prompt: 'ab'.repeat(n), draft: 'ba', final: 'a'.repeat(n % 4) }))
  writeFileSync(edits, lines.join('\n'))
  mkdirSync(join(root, 'tuned'))
  const training = ['--set', 'epochs=200', '--set', 'batch_size=3', '--set', 'learning_rate=0.01']
  const sft = ['sft', '--model', model, '--edits', edits, '--out', join(root, 'tuned'), '--threads', '1', '--quiet']
  expect([await runCli([...sft, ...training]), err]).toEqual([0, ''])
  for (const n of [1, 3, 6]) {
    out = ''
    const tuned = [
      'generate',
      '--model',
      join(root, 'tuned', 'model'),
      '--prompt',
      'ab'.repeat(n),
      '--temperature',
      '0',
    ]
    expect(await runCli([...tuned, '--max-new-tokens', '10', '--json'])).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ text: 'a'.repeat(n % 4), finish_reason: 'stop' })
  }
})
