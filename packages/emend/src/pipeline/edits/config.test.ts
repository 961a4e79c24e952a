import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { describeConfig, loadConfig } from '../config.js'
import { editsConfig } from './config.js'

const example = (name: string) => fileURLToPath(new URL(`../../../../../examples/${name}`, import.meta.url))
afterEach(() => vi.unstubAllEnvs())

describe('examples/smollm2-edits.yaml', () => {
  it('trains adapters on the model as it is, beside the figures recorded of the one from scratch', () => {
    vi.stubEnv('EMEND_DATA', '/somewhere')
    vi.stubEnv('EMEND_SMOLLM2', '/models/smollm2')
    const { config } = loadConfig(editsConfig, example('smollm2-edits.yaml'))
    const lora = { rank: 16, alpha: 32, targets: ['all-linear'], rslora: false, merge: false }
    expect(config).toMatchObject({
      data: { train: '/somewhere/iterater-human', dev: '/somewhere/iterater-human' },
      model: { path: '/models/smollm2', dtype: 'float32' },
      sft: null,
      reward: { kind: 'token', lora },
      payment: 'token-mean',
      ppo: { lora },
    })
    expect(config.beside.map(({ pairs, accuracy }) => [pairs, accuracy])).toEqual([[400, 0.655]])
  })
})

describe('model.path', () => {
  const cache = mkdtempSync(join(tmpdir(), 'emend-model-path-'))
  afterAll(() => rmSync(cache, { recursive: true }))
  const load = (path: string) =>
    loadConfig(editsConfig, undefined, ['data.train=a', 'data.dev=b', `model.path=${path}`]).config.model.path

  it('is a path like any other, or the name of a model that was pulled', () => {
    vi.stubEnv('HF_HUB_CACHE', cache)
    const snapshot = join(cache, 'models--org--name', 'snapshots', 'main')
    mkdirSync(snapshot, { recursive: true })
    writeFileSync(join(snapshot, 'config.json'), '{}')
    expect(load('org/name')).toBe(snapshot)
    expect(load('org/other')).toBe(resolve('org/other'))
    expect(load('./model.gguf')).toBe(resolve('model.gguf'))
    expect(load('packages/emend')).toBe(resolve('packages/emend'))
  })
})

describe('memory settings', () => {
  const data = ['data.train=a', 'data.dev=b']
  const load = (...sets: string[]) => loadConfig(editsConfig, undefined, [...data, ...sets]).config

  it('are off unless asked for', () => {
    const { sft, reward, ppo } = load()
    for (const stage of [sft!, reward, ppo]) {
      expect(stage).toMatchObject({ lora: null, recompute: false })
      expect(stage.micro_batch_tokens).toBeGreaterThan(1000)
    }
  })

  it('are set by key, and adapters have defaults of their own', () => {
    const { reward } = load('reward.lora.rank=4', 'reward.micro_batch_tokens=auto', 'reward.recompute=true')
    expect(reward).toMatchObject({ micro_batch_tokens: 'auto', recompute: true })
    expect(reward.lora).toEqual({ rank: 4, alpha: 32, targets: ['all-linear'], rslora: false, merge: false })
  })

  it('name what is wrong', () => {
    expect(() => load('ppo.lora.rnak=4')).toThrow(/ppo\.lora\.rnak.*rank/)
    expect(() => load('ppo.micro_batch_tokens=most')).toThrow(/ppo\.micro_batch_tokens/)
    expect(() => load('ppo.lora.rank=0')).toThrow(/ppo\.lora\.rank/)
  })

  it('are described so that they are read back', () => {
    const config = load('sft=null', 'reward.lora.rank=4')
    const text = describeConfig(editsConfig, config)
    expect(text).toMatch(/# trains a low-rank adapter \(LoRA\) on frozen weights; null trains the weights themselves/)
    expect(text).toMatch(/^sft: null$/m)
  })
})
