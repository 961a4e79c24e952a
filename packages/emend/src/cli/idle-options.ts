/** Options that were given and would do nothing. */
import type { Command } from 'commander'
import { UsageError } from '../errors.js'
import type { CommonOptions } from './options.js'

/** Of how a command computes, whatever it computes. */
const COMMON = ['json', 'seed', 'device', 'threads', 'quiet', 'debug'] satisfies (keyof CommonOptions)[]

/**
 * Refuses what a command was given on its command line and would not read, as it was told to work: whoever gave it believes
 * that it holds.
 *
 * @param read the options that it reads, by the names of their values; those that all commands share may always be given
 * @param how it was told to work, such as `--by scripted`
 * @throws UsageError naming the first other option
 */
export function refuseIdle(command: Command, read: readonly string[], how: string): void {
  const known = new Set([...COMMON, ...read])
  const idle = command.options.find(option => {
    const name = option.attributeName()
    return command.getOptionValueSource(name) === 'cli' && !known.has(name)
  })
  if (idle) throw new UsageError(`${idle.long} does nothing with ${how}: leave it out`)
}
