/** From arguments to an exit code: finds the command, runs it, and says in one line what went wrong. */

import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { EmendError, exitCode, Interrupted, oneLine } from '../errors.js'
import { interruptSignal } from '../pipeline/interrupt.js'
import { configureProgress, progressBoard } from '../progress.js'
import { commands } from './commands/index.js'
import { type CommonOptions, withCommonOptions } from './options.js'
import { stdoutError } from './output.js'
import { settlePlaces } from './places.js'

/** What `emend --help` shows below the list of commands. */
const FIRST_STEPS = `
First steps:
  $ emend doctor                       what is here, what is missing, and how to mend it
  $ emend demo                         the whole method on the embedded world, in minutes
  $ emend label edits.jsonl --tokenizer tokenizer.json
                                       which tokens of your users' edits changed
  $ emend run config.yaml --print-config
                                       every setting of a pipeline, with its meaning

Each command has its own examples: emend COMMAND --help`

/**
 * Runs one command line.
 * @param argv the arguments after the program's name.
 * @returns 0; 1 after an error, 2 for wrong usage, 130 after Ctrl-C.
 */
export async function runCli(argv: readonly string[], list: readonly Command[] = commands()): Promise<number> {
  const program = buildProgram(list)
  if (!process.stdout.listeners('error').includes(unheard)) process.stdout.on('error', unheard)
  if (argv.length === 0) {
    program.outputHelp()
    return 0
  }
  try {
    await program.parseAsync([...argv], { from: 'user' })
    progressBoard().clear()
    return Number(process.exitCode ?? 0)
  } catch (error) {
    progressBoard().clear()
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const debug = argv.includes('--debug')
    process.stderr.write(`emend: ${oneLine(error)}\n`)
    if (debug && error instanceof Error) process.stderr.write(`${stackOf(error)}\n`)
    else if (!(error instanceof EmendError)) process.stderr.write('emend: run it again with --debug to see where\n')
    if (error instanceof Interrupted) return 130
    return error instanceof EmendError && isInterrupted() ? 130 : exitCode(error)
  }
}

/** Errors of stdout that no command listens for: help on a full disk, or into a pipe that was left. */
function unheard(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE' || process.stdout.listenerCount('error') > 1) return
  process.stderr.write(`emend: ${stdoutError(error).message}\n`)
  process.exitCode = 1
}

/** The program with its commands, grouped in its help. */
export function buildProgram(list: readonly Command[]): Command {
  const program = new Command('emend')
    .description(
      'Turns edits of AI drafts into token-level rewards and aligned models.\n' +
        'draft + edit → which tokens changed → a reward for every token → a policy trained by PPO.',
    )
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .addHelpText('after', FIRST_STEPS)
    .hook('preAction', async (_, action) => {
      prepare(action.opts<CommonOptions>())
      await settlePlaces(action)
    })
  for (const command of list) program.addCommand(withCommonOptions(command))
  for (const command of [program, ...list]) {
    command.exitOverride().configureOutput({
      outputError: (text, write) =>
        write(
          `emend: ${text
            .replace(/^error: /, '')
            .replace(/\s*\n\s*/g, ' ')
            .trim()}\n`,
        ),
    })
  }
  return program
}

function prepare(options: CommonOptions): void {
  interrupted = interruptSignal()
  configureProgress({ quiet: options.quiet ?? false })
  // With --json stdout belongs to the one result; whatever else prints goes to stderr.
  if (options.json) console.log = console.info = console.debug = console.error
}

let interrupted: AbortSignal | undefined
const isInterrupted = () => interrupted?.aborted ?? false

function stackOf(error: Error): string {
  const stack = error.stack ?? ''
  return error.cause instanceof Error ? `${stack}\ncaused by ${stackOf(error.cause)}` : stack
}

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return version
}
