import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { commands } from './commands/index.js'
import { withCommonOptions } from './options.js'
import { runCli } from './run-cli.js'

const found = vi.hoisted(() => ({ devices: ['cpu'] }))
vi.mock('@emend/torch', () => ({ devices: () => found.devices }))

let err: string
let got: Record<string, unknown> | undefined
beforeEach(() => {
  err = ''
  got = undefined
  vi.spyOn(process.stderr, 'write').mockImplementation((text => {
    err += text
    return true
  }) as typeof process.stderr.write)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  found.devices = ['cpu']
})

const command = () => [
  withCommonOptions(new Command('train').option('--model <dir>'), 'device').action(options => {
    got = options
  }),
]

it('a device that is not there is refused before anything is done', async () => {
  expect(await runCli(['train', '--device', 'cuda:0'], command())).toBe(2)
  expect(err).toBe('emend: --device cuda:0: not on this machine, which has cpu\n')
  expect(got).toBeUndefined()
  found.devices = ['cpu', 'cuda:0']
  expect(await runCli(['train', '--device', 'cuda'], command())).toBe(0)
  expect(got).toMatchObject({ device: 'cuda:0' })
})

it('at every command that has a device', async () => {
  const required: Record<string, string[]> = {}
  for (const one of commands().filter(one => one.options.some(option => option.long === '--device'))) {
    required[one.name()] = [
      ...one.registeredArguments.filter(argument => argument.required).map(() => 'x'),
      ...one.options
        .filter(option => option.mandatory)
        .flatMap(option => [option.long as string, option.argChoices?.[0] ?? 'x']),
    ]
  }
  expect(Object.keys(required)).toEqual(expect.arrayContaining(['sft', 'ppo', 'generate', 'score', 'evaluate', 'run']))
  for (const [name, rest] of Object.entries(required)) {
    err = ''
    expect(await runCli([name, ...rest, '--device', 'cuda:0']), name).toBe(2)
    expect(err, name).toBe('emend: --device cuda:0: not on this machine, which has cpu\n')
  }
})

it('the name of a pulled model becomes its folder; one that was not pulled says how', async () => {
  const cache = mkdtempSync(join(tmpdir(), 'emend-places-'))
  try {
    vi.stubEnv('HF_HUB_CACHE', cache)
    const snapshot = join(cache, 'models--org--tiny', 'snapshots', 'abc')
    mkdirSync(snapshot, { recursive: true })
    mkdirSync(join(cache, 'models--org--tiny', 'refs'))
    writeFileSync(join(cache, 'models--org--tiny', 'refs', 'main'), 'abc')
    writeFileSync(join(snapshot, 'config.json'), '{}')
    expect(await runCli(['train', '--model', 'org/tiny'], command())).toBe(0)
    expect(got).toEqual({ model: snapshot })
    expect(await runCli(['train', '--model', 'org/other'], command())).toBe(1)
    expect(err).toMatch(/^emend: org\/other: no such file or folder, .*emend pull org\/other\n$/)
  } finally {
    rmSync(cache, { recursive: true })
  }
})
