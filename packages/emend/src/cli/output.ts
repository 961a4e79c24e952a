/** What a command prints: one JSON result on stdout with `--json`, text for people otherwise. */

import { EmendError } from '../errors.js'

/** Writes one result as a line of JSON and waits until it is out, so that a pipe gets all of it. */
export function printJson(value: unknown): Promise<void> {
  return print(JSON.stringify(value))
}

/** Writes text on stdout. */
export function print(text: string): Promise<void> {
  return new Promise((settle, fail) => {
    // A reader that has seen enough (head) is no error; a full disk is one.
    const failed = (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      fail(stdoutError(error))
    }
    process.stdout.once('error', failed)
    process.stdout.write(text.endsWith('\n') ? text : `${text}\n`, error => {
      if (error) return failed(error)
      process.stdout.off('error', failed)
      settle()
    })
  })
}

/** What the system said of stdout, in a line. */
export function stdoutError(error: NodeJS.ErrnoException): EmendError {
  const why = error.code === 'ENOSPC' ? 'no room left: ENOSPC' : error.code
  return new EmendError(`stdout: cannot be written (${why})`, { cause: error })
}

/** Examples for a command's `--help`: pairs of a command line and what it does. */
export function examples(...list: readonly (readonly [line: string, does: string])[]): string {
  return `\nExamples:\n${list.map(([line, does]) => `  $ ${line}\n      ${does}`).join('\n')}`
}

/** Headings under which `emend --help` lists commands. */
export const groups = {
  pipeline: 'The whole way:',
  data: 'Edits and labels:',
  training: 'One stage of training:',
  models: 'Using models:',
  system: 'This machine:',
} as const
