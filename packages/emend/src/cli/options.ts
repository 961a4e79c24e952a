/** Options that commands share, and the arguments they are read by. */

import { type Command, InvalidArgumentError } from 'commander'

/** The options every command takes. */
export interface CommonOptions {
  json?: boolean
  seed?: number
  out?: string
  device?: string
  threads?: number
  quiet?: boolean
  debug?: boolean
}

/**
 * Adds the common options that mean something to a command. `--json`, `--quiet` and `--debug` are added to every command
 * when it joins the program.
 */
export function withCommonOptions(command: Command, ...which: ('seed' | 'out' | 'device' | 'threads')[]): Command {
  const add = (flags: string, description: string, parse?: (text: string) => unknown) => {
    const long = /--\w+/.exec(flags)![0]
    if (command.options.some(option => option.long === long)) return
    if (parse) command.option(flags, description, parse)
    else command.option(flags, description)
  }
  if (which.includes('seed')) add('--seed <n>', 'seed of everything random', wholeNumber)
  if (which.includes('out')) add('--out <dir>', 'folder for what is made')
  if (which.includes('device')) add('--device <name>', 'where to compute: cpu, cuda:0, mps', deviceName)
  if (which.includes('threads')) add('--threads <n>', 'threads to compute with', positiveNumber)
  add('--json', 'print one machine-readable result on stdout')
  add('--quiet', 'no progress')
  add('--debug', 'print the stack of an error')
  return command.helpOption('-h, --help', 'print help')
}

/** What commands take that read a config. */
export interface ConfigOptions {
  set: string[]
  printConfig?: boolean
}

/**
 * Adds `--set a.b=c` (any number of times) and `--print-config`, with which nothing else has to be given.
 * @param such what the help shows: a key that the command's config has
 */
export function withConfigOptions(command: Command, such = 'ppo.kl_coef=0.02'): Command {
  command.on('option:print-config', () => {
    for (const option of command.options) option.mandatory = false
  })
  return command
    .option('--set <key=value>', `override a key of the config, such as ${such}`, collect, [])
    .option('--print-config', 'print the full resolved config with what each key means, and stop')
}

const collect = (value: string, before: string[]) => [...before, value]

/** Parses a whole number ≥ 0. */
export function wholeNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('Expected a whole number.')
  return value
}

/** Parses a whole number ≥ 1. */
export function positiveNumber(text: string): number {
  const value = wholeNumber(text)
  if (value === 0) throw new InvalidArgumentError('Expected at least 1.')
  return value
}

/** Parses a finite number. */
export function realNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Expected a number.')
  return value
}

function deviceName(text: string): string {
  if (!/^(cpu|mps|cuda(:\d+)?)$/.test(text)) throw new InvalidArgumentError('Expected cpu, cuda, cuda:N or mps.')
  return text === 'cuda' ? 'cuda:0' : text
}
