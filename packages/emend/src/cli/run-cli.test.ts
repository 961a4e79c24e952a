import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DataError, Interrupted, UsageError } from '../errors.js'
import { progress } from '../progress.js'
import { commands } from './commands/index.js'
import { positiveNumber, realNumber, withCommonOptions, withConfigOptions } from './options.js'
import { groups, printJson } from './output.js'
import { runCli } from './run-cli.js'

// Help must be instant: a command that loads the engine before it is asked to work fails here.
vi.mock('@emend/torch', () => {
  throw new Error('the engine was loaded')
})

let out: string
let err: string
beforeEach(() => {
  out = err = ''
  vi.spyOn(process.stdout, 'write').mockImplementation(((text: string, done?: () => void) => {
    out += text
    done?.()
    return true
  }) as typeof process.stdout.write)
  vi.spyOn(process.stderr, 'write').mockImplementation((text => {
    err += text
    return true
  }) as typeof process.stderr.write)
})
afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

/** A command `train` that does what the test says. */
function training(run: (options: Record<string, unknown>) => unknown): Command[] {
  const command = new Command('train').helpGroup(groups.training).description('train a model')
  withConfigOptions(withCommonOptions(command, 'seed', 'out', 'device', 'threads'))
  return [
    command.option('--lr <x>', 'learning rate', realNumber).option('--n <n>', 'how many', positiveNumber).action(run),
  ]
}

describe('help', () => {
  it('teaches: what it is, the commands in groups, first steps', async () => {
    expect(await runCli(['--help'])).toBe(0)
    for (const text of [
      'Usage: emend',
      'token-level rewards',
      groups.system,
      'doctor',
      'First steps:',
      '$ emend demo',
    ]) {
      expect(out).toContain(text)
    }
    const help = out
    out = ''
    expect(await runCli([])).toBe(0)
    expect(out).toBe(help)
  })

  it('has a description and an example for every command', async () => {
    for (const command of commands()) {
      out = ''
      expect(await runCli([command.name(), '--help'])).toBe(0)
      expect(out, command.name()).toContain(`Usage: emend ${command.name()}`)
      expect(out, command.name()).toContain(`$ emend ${command.name()}`)
    }
  })

  it('shows no option whose value commander would not take: values stand in <> or []', () => {
    for (const command of commands()) {
      for (const { flags } of command.options)
        expect(flags, command.name()).toMatch(/^(-\w, )?--[a-z0-9-]+( [<[].+[>\]])?$/)
    }
  })

  it('prints the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(await runCli(['--version'])).toBe(0)
    expect(out).toBe(`${version}\n`)
  })
})

describe('wrong usage', () => {
  const wrong = async (...argv: string[]) => ({
    code: await runCli(
      argv,
      training(() => {}),
    ),
    err,
  })

  it('names the nearest command and option', async () => {
    expect(await wrong('trian')).toEqual({ code: 2, err: "emend: unknown command 'trian' (Did you mean train?)\n" })
    err = ''
    expect(await wrong('train', '--sead', '1')).toEqual({
      code: 2,
      err: "emend: unknown option '--sead' (Did you mean --seed?)\n",
    })
  })

  it.each([
    [['--seed', '1.5'], 'Expected a whole number.'],
    [['--threads', '0'], 'Expected at least 1.'],
    [['--lr', 'fast'], 'Expected a number.'],
    [['--device', 'tpu'], 'Expected cpu, cuda, cuda:N or mps.'],
  ])('refuses %j', async (argv, message) => {
    const { code, err: said } = await wrong('train', ...argv)
    expect(code).toBe(2)
    expect(said).toContain(message)
    expect(said.trim().split('\n')).toHaveLength(1)
  })
})

describe('options', () => {
  it('arrive parsed', async () => {
    let got: unknown
    const argv = 'train --seed 7 --out runs/a --device cpu --threads 2 --lr 3e-6 --set a.b=1 --set c=2 --json'.split(
      ' ',
    )
    await runCli(
      argv,
      training(options => (got = options)),
    )
    expect(got).toEqual({
      seed: 7,
      out: 'runs/a',
      device: 'cpu',
      threads: 2,
      lr: 3e-6,
      set: ['a.b=1', 'c=2'],
      json: true,
    })
  })

  it('--json leaves nothing but the result on stdout, --quiet no progress', async () => {
    const { log, info, debug } = console
    try {
      const list = training(async () => {
        console.log('a library says hello')
        progress('training', 2, 'step').finish()
        await printJson({ win_rate: 51.6 })
      })
      vi.spyOn(console, 'error').mockImplementation(text => {
        err += `${text}\n`
      })
      expect(await runCli(['train', '--json'], list)).toBe(0)
      expect(out).toBe('{"win_rate":51.6}\n')
      expect(err).toContain('a library says hello\ntraining  0 step')
    } finally {
      Object.assign(console, { log, info, debug })
    }
    err = ''
    await runCli(
      ['train', '--quiet'],
      training(() => progress('training', 2, 'step').finish()),
    )
    expect(err).toBe('')
  })
})

describe('errors', () => {
  const failing = (error: unknown) =>
    training(() => {
      throw error
    })

  it('are one line, with the exit code of their kind', async () => {
    const data = new DataError('got 3, expected a string', { file: 'edits.jsonl', line: 17, field: 'final' })
    expect(await runCli(['train'], failing(data))).toBe(1)
    expect(err).toBe('emend: edits.jsonl:17: final: got 3, expected a string\n')
    expect(await runCli(['train'], failing(new UsageError('give a file or --prompt')))).toBe(2)
    expect(await runCli(['train'], failing(new Interrupted()))).toBe(130)
  })

  it('that are bugs say how to see more, and --debug shows the stack', async () => {
    expect(await runCli(['train'], failing(new TypeError('x is undefined')))).toBe(1)
    expect(err).toBe('emend: TypeError: x is undefined\nemend: run it again with --debug to see where\n')
    err = ''
    const cause = new Error('the disk is full')
    await runCli(['train', '--debug'], failing(new DataError('cannot be read', { file: 'a' }, { cause })))
    expect(err).toContain('emend: a: cannot be read\nDataError: a: cannot be read\n    at ')
    expect(err).toContain('caused by Error: the disk is full')
  })
})

describe('doctor', () => {
  it('names what is missing with the step that mends it, and fails', async () => {
    expect(await runCli(['doctor', '--json'])).toBe(1)
    const { ok, found } = JSON.parse(out)
    expect(ok).toBe(false)
    expect(found).toContainEqual(expect.objectContaining({ name: 'Node.js', state: 'ok' }))
    // The engine is mocked to fail above: that is a finding, not a crash.
    expect(found).toContainEqual(
      expect.objectContaining({ name: 'engine', state: 'missing', mend: 'npm install, then npm run build' }),
    )
  })
})
