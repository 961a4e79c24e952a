/** The errors a user meets: one clear line each, saying what was wrong, where, and what to do. */

/** An error whose message is meant for the user. Anything else that reaches the command line is a bug, and says so. */
export class EmendError extends Error {
  override name = 'EmendError'
}

/** Where in a config something was wrong. */
export interface ConfigPlace {
  /** The config file, or the `--set` that brought the value. */
  file?: string
  /** Line in that file, counted from 1. */
  line?: number
  /** Path of the key, such as `ppo.kl_coef`. */
  key?: string
}

/** A config that cannot be used. `message` starts with the place: `run.yaml:12: ppo.kl: …`. */
export class ConfigError extends EmendError {
  override name = 'ConfigError'
  readonly file?: string
  readonly line?: number
  readonly key?: string

  constructor(what: string, place: ConfigPlace = {}, options?: ErrorOptions) {
    super(located(what, place.file, place.line, place.key), options)
    this.file = place.file
    this.line = place.line
    this.key = place.key
  }
}

/** Where in a data file something was wrong. */
export interface DataPlace {
  file?: string
  /** Line or record in the file, counted from 1. */
  line?: number
  /** The field of the record, such as `final`. */
  field?: string
}

/** A data file with a broken record. `message` starts with the place: `edits.jsonl:17: final: …`. */
export class DataError extends EmendError {
  override name = 'DataError'
  readonly file?: string
  readonly line?: number
  readonly field?: string

  constructor(what: string, place: DataPlace = {}, options?: ErrorOptions) {
    super(located(what, place.file, place.line, place.field), options)
    this.file = place.file
    this.line = place.line
    this.field = place.field
  }
}

/** A command that was called wrongly; the process exits with 2. */
export class UsageError extends EmendError {
  override name = 'UsageError'
}

/** The work was stopped by Ctrl-C (or SIGTERM) after saving what it could; the process exits with 130. */
export class Interrupted extends EmendError {
  override name = 'Interrupted'

  constructor(message = 'stopped; run the same command again to go on from the last checkpoint') {
    super(message)
  }
}

/** Exit status for an error: 2 for wrong usage, 130 for Ctrl-C, 1 for everything else. */
export function exitCode(error: unknown): 1 | 2 | 130 {
  if (error instanceof Interrupted) return 130
  return error instanceof UsageError ? 2 : 1
}

/** The message of any thrown value on one line; an error that is not an EmendError is named by its class. */
export function oneLine(error: unknown): string {
  if (!(error instanceof Error)) return flat(String(error))
  if (error instanceof EmendError) return flat(error.message)
  return flat(error.name === 'Error' ? error.message : `${error.name}: ${error.message}`)
}

const flat = (text: string) => text.replace(/\s*\n\s*/g, ' ').trim()

function located(what: string, file?: string, line?: number, name?: string): string {
  const place = file === undefined ? '' : line === undefined ? `${file}: ` : `${file}:${line}: `
  return place + (name ? `${name}: ` : '') + what
}
