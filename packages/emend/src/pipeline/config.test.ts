// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${NAME} is what a config writes
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import * as z from 'zod'
import { ConfigError } from '../errors.js'
import { describeConfig, loadConfig, path } from './config.js'

const schema = z.strictObject({
  seed: z.int().min(0).default(1).describe('Seed of everything random.'),
  name: z.string().optional().describe('A name for people.'),
  data: path().prefault('data').describe('Folder of the data.'),
  ppo: z
    .strictObject({
      lr: z.number().positive().default(1e-5).describe('Learning rate at the start.'),
      kl_coef: z.number().min(0).default(0.02),
      payment: z.enum(['terminal', 'token', 'uniform']).default('token'),
    })
    .prefault({})
    .describe('Fine-grained PPO.'),
  arms: z
    .array(z.strictObject({ name: z.string().describe('Its row in the table.'), lr: z.number().default(1) }))
    .default([]),
  reward: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('sequence'), layers: z.int().default(2).describe('Layers of the trunk.') }),
      z.strictObject({ kind: z.literal('oracle'), noise: z.number().default(0).describe('Chance of a flip.') }),
    ])
    .default({ kind: 'oracle', noise: 0 }),
})

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-config-'))
})
afterEach(() => vi.unstubAllEnvs())

function file(text: string): string {
  const name = join(folder, 'run.yaml')
  writeFileSync(name, text)
  return name
}

const load = (text: string, sets: string[] = []) => loadConfig(schema, file(text), sets).config

function failure(text: string, sets: string[] = []): ConfigError {
  try {
    load(text, sets)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('was accepted')
}

describe('loadConfig', () => {
  it('fills in defaults', () => {
    expect(load('')).toMatchObject({ seed: 1, ppo: { lr: 1e-5, kl_coef: 0.02, payment: 'token' }, arms: [] })
    expect(load('ppo: { lr: 2.0e-5 }').ppo).toEqual({ lr: 2e-5, kl_coef: 0.02, payment: 'token' })
    expect(loadConfig(schema, undefined, ['seed=7']).config.seed).toBe(7)
  })

  it('keeps the text it read', () => {
    expect(loadConfig(schema, file('seed: 3 # three\n'), ['seed=4'])).toMatchObject({
      source: 'seed: 3 # three\n',
      config: { seed: 4 },
    })
  })

  it('names an unknown key by path, line and the nearest known one', () => {
    const error = failure('seed: 1\n\nppo:\n  lr: 1\n  kl_coeff: 0.1\n')
    expect(error).toMatchObject({ file: join(folder, 'run.yaml'), line: 5, key: 'ppo.kl_coeff' })
    expect(error.message).toBe(`${join(folder, 'run.yaml')}:5: ppo.kl_coeff: unknown key; did you mean 'kl_coef'?`)
    expect(failure('ppo: { klCoef: 1 }').message).toContain("did you mean 'kl_coef'?")
    expect(failure('arms:\n- name: a\n- name: b\n  lrate: 2\n')).toMatchObject({ line: 4, key: 'arms.1.lrate' })
  })

  it('says where a key belongs, or what there is', () => {
    expect(failure('payment: token').message).toContain("unknown key here; there is 'ppo.payment'")
    expect(failure('ppo: { bananas: 1 }').message).toContain('unknown key; known here: lr, kl_coef, payment')
    expect(failure('__proto__: 1').message).toContain('__proto__: unknown key')
  })

  it('finds unknown keys inside the chosen kind', () => {
    expect(failure('reward:\n  kind: oracle\n  nose: 1\n')).toMatchObject({ line: 3, key: 'reward.nose' })
    expect(failure('reward:\n  kind: oracle\n  nose: 1\n').message).toContain("did you mean 'noise'?")
    expect(failure('reward:\n  kind: orcale\n')).toMatchObject({ line: 2, key: 'reward.kind' })
  })

  it('says what it expected and what it got', () => {
    expect(failure('seed: many\n').message).toContain(
      ':1: seed: expected int, got string "many"'.replace('int', 'number'),
    )
    expect(failure('ppo:\n  lr: -1\n').message).toContain(':2: ppo.lr: expected number to be >0, got number -1')
    expect(failure('ppo: { payment: tokens }').message).toContain(
      'expected "terminal" or "token" or "uniform", got string "tokens"',
    )
    expect(failure('arms:\n- lr: 2\n').message).toContain(':2: arms.0.name: is missing; expected string')
    expect(failure('ppo: 3').message).toContain('expected object, got number 3')
  })

  it('points at broken YAML', () => {
    expect(failure('seed: 1\nppo: [\n').message).toMatch(/run\.yaml:\d: not valid YAML: /)
    expect(failure('seed: 1\nseed: 2\n')).toMatchObject({ line: 2 })
    expect(failure('- 1\n').message).toContain(':1: a config is a map of keys to values')
    expect(() => loadConfig(schema, join(folder, 'none.yaml'))).toThrow('none.yaml: there is no such file')
  })

  it('takes overrides, as YAML', () => {
    const config = load('ppo: { lr: 1 }\narms: [{ name: a }, { name: b }]', [
      'ppo.lr=3e-6',
      'arms.1.lr=0.5',
      'reward={ kind: sequence, layers: 4 }',
    ])
    expect(config.ppo.lr).toBe(3e-6)
    expect(config.arms).toEqual([
      { name: 'a', lr: 1 },
      { name: 'b', lr: 0.5 },
    ])
    expect(config.reward).toEqual({ kind: 'sequence', layers: 4 })
  })

  it('names the override that was wrong', () => {
    expect(failure('seed: 1', ['ppo.klcoef=1']).message).toBe(
      "--set ppo.klcoef=1: ppo.klcoef: unknown key; did you mean 'kl_coef'?",
    )
    expect(failure('seed: 1', ['ppo.lr=fast']).message).toContain('--set ppo.lr=fast: ppo.lr: expected number')
    expect(failure('', ['seed']).message).toContain('--set seed: expected key=value')
    expect(failure('', ['=1']).message).toContain('expected key=value')
    expect(failure('seed: 1', ['seed.x=1']).message).toContain("seed holds number 1, which has no key 'x'")
    expect(failure('', ['__proto__.polluted=1']).message).toContain('unknown key')
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  it('reads paths relative to the config, those of --set relative to the current folder', () => {
    expect(load('data: ../pairs').data).toBe(join(folder, '..', 'pairs'))
    expect(load('').data).toBe(join(folder, 'data'))
    expect(load('data: /abs').data).toBe('/abs')
    expect(load('data: here', ['data=there']).data).toBe(join(process.cwd(), 'there'))
  })

  it('expands environment variables in values', () => {
    vi.stubEnv('EMEND_TEST_SEED', '12')
    const text = 'seed: ${EMEND_TEST_SEED}\nname: "${EMEND_TEST_SEED}-$${X}"\ndata: ${EMEND_TEST_NONE:-fall/back}\n'
    expect(load(text)).toMatchObject({ seed: 12, name: '12-${X}', data: join(folder, 'fall/back') })
    expect(failure('seed: 1\nname: ${EMEND_TEST_NONE}').message).toContain(
      ':2: the environment variable EMEND_TEST_NONE is not set',
    )
  })
})

describe('describeConfig', () => {
  it('prints every key with its description', () => {
    const text = describeConfig(schema, load('data: /corpus\narms: [{ name: first }]\nreward: { kind: sequence }'))
    expect(text).toBe(`# Seed of everything random.
seed: 1
# Folder of the data.
data: /corpus
# Fine-grained PPO.
ppo:
  # Learning rate at the start.
  lr: 0.00001
  kl_coef: 0.02
  payment: token
arms:
  - # Its row in the table.
    name: first
    lr: 1
reward:
  kind: sequence
  # Layers of the trunk.
  layers: 2
# name: (not set) A name for people.
`)
  })

  it('is read back to the same config', () => {
    const config = load('name: "a: ${EMEND_TEST_NONE:-x} # $${HOME}"\ndata: sub\narms: [{ name: "- x" }]')
    const again = loadConfig(schema, file(describeConfig(schema, config))).config
    expect(again).toEqual(config)
    expect(again.name).toBe('a: x # ${HOME}')
  })
})
