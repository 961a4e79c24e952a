/** The options of the guard SAID, for the commands that have one. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { SAFETY_PREFIXES } from '../guards/said-prompts.js'
import { positiveNumber } from './options.js'

/** Adds how requests are read. @param start `--guard-` where the command has other things to name */
export function withSaid(command: Command, start: '--' | '--guard-'): Command {
  return command
    .addOption(
      new Option(`${start}turns <which>`, 'guard: reads all turns, those of the user, or the last of the user')
        .choices(['all', 'user', 'last'])
        .default('all'),
    )
    .addOption(
      new Option(
        `${start}unparsable <what>`,
        'guard: what a distillation means that cannot be read; probe: the text itself is probed',
      )
        .choices(['refuse', 'probe', 'pass'])
        .default('refuse'),
    )
    .option(`${start}segment <characters>`, 'guard: longer requests are read in parts of so many', segmentSize, 4000)
}

/** The option that names one safety prefix, or several. */
export const prefixOption = (flags: string, description: string): Option =>
  new Option(flags, description).choices(SAFETY_PREFIXES.map(({ name }) => name))

function segmentSize(text: string): number {
  const size = positiveNumber(text)
  if (size < 100) throw new InvalidArgumentError('Expected at least 100.')
  return size
}
