import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeEdit } from '@emend/edits'
import { memory, readSafetensors, setNumThreads } from '@emend/torch'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rewardConfig } from './algorithms/reward.js'
import { align, alignByDpo, fineTune, newReward, trainRewardModel } from './align.js'
import { LanguageModel } from './language-model.js'
import { RewardModel } from './rewards/reward-model.js'
import { BYTE_CHARACTERS } from './text/byte-level.js'
import { Tokenizer } from './text/index.js'
import { weights } from './training/tiny.fixture.js'

setNumThreads(1)

const vocab = Object.fromEntries(['<pad>', '<eos>', ...BYTE_CHARACTERS].map((token, id) => [token, id]))
const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: true }
const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
const tokenizer = Tokenizer.parse(
  JSON.stringify({
    version: '1.0',
    added_tokens: ['<pad>', '<eos>'].map((content, id) => ({ id, content, ...special })),
    normalizer: null,
    pre_tokenizer: bytes,
    post_processor: null,
    decoder: bytes,
    model: { type: 'BPE', vocab, merges: [] },
  }),
)
// Two letters; whoever edits puts an `a` where a `z` is.
const edits = Array.from({ length: 24 }, (_, i) => {
  const rest = 'bcdefg'[i % 6]!
  const around = (middle: string) => (i % 2 ? rest + middle : middle + rest)
  const by = { kind: 'script', name: 'test' } as const
  return makeEdit({ prompt: 'Say:', draft: around('z'), final: around('a'), by, at: '2024-01-01T00:00:00Z' }).edit
})
const texts = edits.flatMap(({ draft, final }) => [draft, final].map(response => ({ prompt: 'Say:', response })))
const lora = { rank: 4, alpha: 8, targets: ['all-linear'], rslora: false, merge: false }
const prompts = Array.from({ length: 60 }, () => 'Say:')
const root = mkdtempSync(join(tmpdir(), 'emend-adapters-'))
afterAll(() => rmSync(root, { recursive: true }))

let base: LanguageModel
let reward: RewardModel
let policy: LanguageModel
let before: number[]
beforeAll(async () => {
  const shape = { hiddenSize: 24, intermediateSize: 48, layers: 2, heads: 2, maxPositions: 64 }
  base = LanguageModel.create(tokenizer, shape, 1)
  await fineTune(base, texts, { epochs: 16, batch_size: 12, warmup_steps: 2, learning_rate: 1e-2 })
  await base.save(join(root, 'base'))
  before = weights(base.decoder)
  reward = await trainRewardModel(base, edits, {
    lora,
    epochs: 12,
    batch_size: 8,
    warmup_steps: 2,
    learning_rate: 1e-2,
  })
  policy = await align(base, {
    prompts: ['Say:'],
    reward,
    lora,
    steps: 12,
    rollouts: 32,
    minibatch_size: 16,
    max_new_tokens: 5,
    warmup_steps: 0,
    learning_rate: 1e-2,
    recompute: true,
    folder: join(root, 'ppo'),
  })
})

const share = async (model: LanguageModel) => {
  const replies = await model.generate(prompts, { maxNewTokens: 5, seed: 9 })
  return replies.filter(({ text }) => text.includes('a') && !text.includes('z')).length
}
const said = async (model: LanguageModel) =>
  (await model.generate(prompts.slice(0, 8), { maxNewTokens: 5, seed: 3 })).map(({ text }) => text)

describe('PPO on adapters', () => {
  it('raises the reward, and leaves the one copy of the weights as it is', async () => {
    expect(await share(policy)).toBeGreaterThan((await share(base)) + 10)
    expect(weights(base.decoder)).toEqual(before)
    expect(policy.decoder.model.layers).toBe(base.decoder.model.layers)
    expect(reward.scalar.model.layers).toBe(base.decoder.model.layers)
  })

  it('keeps only what is trained in its checkpoints', () => {
    const checkpoints = join(root, 'ppo', 'checkpoints')
    const last = join(checkpoints, readdirSync(checkpoints).sort().at(-1)!)
    const names = (file: string) => [...readSafetensors(join(last, file)).tensors.keys()]
    expect(names('policy.safetensors').every(name => /lora_[AB]\.weight$/.test(name))).toBe(true)
    expect(names('value.safetensors').filter(name => !/lora_[AB]\.weight$/.test(name))).toEqual([
      'score.bias',
      'score.weight',
    ])
  })

  it('is saved as PEFT’s folder, and read again: alone, or on weights that are in memory', async () => {
    const folder = join(root, 'policy')
    await policy.save(folder)
    expect(readdirSync(folder).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors', 'tokenizer.json'])
    const expected = await said(policy)
    expect(expected).not.toEqual(await said(base))
    expect(await said(await LanguageModel.load(folder))).toEqual(expected)
    const shared = await LanguageModel.load(join(root, 'base'))
    const held = memory().bytes
    const read = await LanguageModel.load(folder, { share: shared })
    // 4 bytes for each number of the adapter, and what is rounded up
    expect(memory().bytes - held).toBeLessThan(read.decoder.trainable().size * 4096)
    expect(read.decoder.model.layers).toBe(shared.decoder.model.layers)
    expect(await said(read)).toEqual(expected)
  })

  it('merged, says the same', async () => {
    const folder = join(root, 'merged')
    await policy.clone().save(folder)
    expect(existsSync(join(folder, 'adapter_config.json'))).toBe(false)
    expect(await said(await LanguageModel.load(folder))).toEqual(await said(policy))
  })

  it('a reward model is saved and read as an adapter with its head', async () => {
    const folder = join(root, 'reward')
    await reward.save(folder)
    const ids = [await base.encode(['Say:']), await base.encode(['ab'])] as const
    const expected = reward.readAll(...ids)
    expect((await RewardModel.load(folder)).readAll(...ids)).toEqual(expected)
    const shared = await RewardModel.load(folder, { share: base })
    expect(shared.scalar.model.layers).toBe(base.decoder.model.layers)
    expect(shared.readAll(...ids)).toEqual(expected)
  })

  it('says what is missing when the weights are elsewhere', async () => {
    const folder = join(root, 'lost')
    policy.decoder.model.adapter!.base = join(root, 'moved away')
    await policy.save(folder)
    await expect(LanguageModel.load(folder)).rejects.toThrow(
      /the weights that the adapter changes are not where it says/,
    )
    expect(await said(await LanguageModel.load(folder, { share: base }))).toEqual(await said(policy))
  })
})

it('a head that starts at 0 says 0 of every token', async () => {
  const settings = (head_init: 'zero' | 'normal') => rewardConfig.parse({ lora, head_init })
  const [ids] = await base.encode(['Say: ab'])
  const read = (head: 'zero' | 'normal') => newReward(base, settings(head), 1).readAll([ids!], [ids!])[0]!.token
  expect([...read('zero')].every(reward => reward === 0)).toBe(true)
  expect([...read('normal')].some(reward => reward !== 0)).toBe(true)
})

describe('SFT and DPO on adapters', () => {
  it('teach as much, and leave the base as it is', async () => {
    const finals = edits.map(({ prompt, final }) => ({ prompt: prompt as string, response: final }))
    const options = { lora, epochs: 8, batch_size: 8, warmup_steps: 2, learning_rate: 1e-2 }
    const [tuned, preferring] = [
      await fineTune(base, finals, options),
      await alignByDpo(base, edits, { ...options, learning_rate: 3e-3, beta: 0.5 }),
    ]
    const floor = await share(base)
    for (const model of [tuned, preferring]) expect(await share(model)).toBeGreaterThan(floor + 10)
    expect(weights(base.decoder)).toEqual(before)
    await expect(fineTune(tuned, finals, options)).rejects.toThrow(
      'reads through an adapter already: merge that one first',
    )
  })
})

it('training leaves nothing in memory but what it gives back', async () => {
  const settings = { epochs: 1, batch_size: 12 }
  const tuned = base.clone()
  const numbers = (parameters: ReadonlyMap<string, unknown>) => parameters.size
  const added = async (train: () => Promise<unknown>) => {
    const count = memory().tensors
    await train()
    return memory().tensors - count
  }
  expect(await added(() => fineTune(tuned, texts, settings))).toBe(0)
  let made: RewardModel | undefined
  expect(
    await added(async () => {
      made = await trainRewardModel(tuned, edits, settings)
    }),
  ).toBeLessThanOrEqual(numbers(made!.scalar.parameters()) + 8)
})

it.each([
  ['with weights of its own', {}],
  ['as an adapter', { lora }],
])('training that fails leaves nothing in memory, and PPO its value model neither: %s', async (_, kind) => {
  const start = base.clone()
  const paying = await trainRewardModel(start, edits, { ...kind, epochs: 1, batch_size: 12 })
  const onProgress = (done: number) => {
    if (done === 1) throw new Error('the disk is full')
  }
  const settings = { ...kind, epochs: 1, batch_size: 12 }
  const ppo = {
    ...kind,
    prompts: ['Say:'],
    reward: paying,
    steps: 2,
    rollouts: 8,
    minibatch_size: 4,
    max_new_tokens: 4,
  }
  await align(start, ppo).then(({ decoder }) => (kind.lora ? decoder.model.adapter! : decoder).dispose())
  for (const [failing, train] of [
    [true, () => fineTune(start, texts, settings, { onProgress })],
    [true, () => trainRewardModel(start, edits, settings, { onProgress })],
    [true, () => alignByDpo(start, edits, settings, { onProgress })],
    [true, () => align(start, { ...ppo, onProgress })],
    [false, () => align(start, ppo).then(({ decoder }) => (kind.lora ? decoder.model.adapter! : decoder).dispose())],
  ] as const) {
    const { tensors, bytes } = memory()
    const trained = expect(train())
    await (failing ? trained.rejects.toThrow('the disk is full') : trained.resolves.toBeUndefined())
    expect(memory()).toMatchObject({ tensors, bytes })
  }
})

it('a model under an adapter says why it cannot be trained itself', async () => {
  const frozen = base.clone()
  await trainRewardModel(frozen, edits, { epochs: 1, batch_size: 12, lora })
  await expect(fineTune(frozen, texts)).rejects.toThrow('the weights of the model are frozen, since an adapter reads')
})

it('of an adapter only what is not as usual has to be said', async () => {
  const tuned = await fineTune(base.clone(), texts.slice(0, 12), { epochs: 1, batch_size: 12, lora: { rank: 2 } })
  expect(tuned.decoder.model.adapter!.config).toMatchObject({ rank: 2, alpha: 32, targets: ['all-linear'] })
})
