/** The options of `emend serve` that put a guard before its answers. */
import { type Command, Option } from 'commander'
import { UsageError } from '../errors.js'
import type { SaidOptions } from '../guards/index.js'
import type { ServeOptions } from '../server/index.js'
import { openModel } from './chat-model.js'
import { positiveNumber } from './options.js'
import { prefixOption, withSaid } from './said.js'

/** What `withGuardOptions` adds. */
export interface GuardFlags {
  guard?: 'said'
  guardLlm?: string
  guardBaseUrl?: string
  guardApiKeyEnv?: string
  guardTimeout?: number
  guardPrefix?: string
  guardTurns: NonNullable<SaidOptions['turns']>
  guardUnparsable: NonNullable<SaidOptions['unparsable']>
  guardSegment: number
}

/** Of one answer, in seconds. */
const TIMEOUT = 60

export function withGuardOptions(command: Command): Command {
  const added = command
    .addOption(new Option('--guard <name>', 'asked before anything is generated: said').choices(['said']))
    .option(
      '--guard-llm <provider:model>',
      'who guards: openai-compatible:NAME, openai:NAME, …; default the model itself',
    )
    .option('--guard-base-url <url>', 'address of the API of --guard-llm')
    .option('--guard-api-key-env <name>', "the environment variable with its key; default the provider's own")
    .option(
      '--guard-timeout <seconds>',
      `how long --guard-llm may take for an answer, of which a request needs two or more; default ${TIMEOUT}`,
      positiveNumber,
    )
    .addOption(prefixOption('--guard-prefix <name>', 'guard: the words that wake its sense of safety'))
  return withSaid(added, '--guard-')
}

/** @throws UsageError naming the option */
export async function guardOption(flags: GuardFlags, command: Command): Promise<ServeOptions['guard']> {
  const { guard, guardLlm: llm, guardBaseUrl: baseUrl, guardApiKeyEnv: apiKeyEnv, guardPrefix: prefix } = flags
  const { guardTimeout: timeout } = flags
  if (guard === undefined) {
    // Whoever sets how it guards takes the model to be guarded.
    const idle = command.options.find(
      option => option.long?.startsWith('--guard-') && command.getOptionValueSource(option.attributeName()) === 'cli',
    )
    if (idle) throw new UsageError(`${idle.long}: there is no guard; give --guard said`)
    return undefined
  }
  if (llm === undefined && (baseUrl ?? apiKeyEnv ?? timeout) !== undefined)
    throw new UsageError('--guard-base-url, --guard-api-key-env, --guard-timeout: whose? give --guard-llm as well')
  if (llm?.startsWith('local:'))
    throw new UsageError(
      `--guard-llm ${llm}: serve it with another emend serve, and name it here as openai-compatible:NAME`,
    )
  if (llm?.startsWith('openai-compatible:') && baseUrl === undefined)
    throw new UsageError('--guard-llm openai-compatible: no address; give one with --guard-base-url')
  const { said } = await import('../guards/index.js')
  const { bounded } = await import('../providers/index.js')
  const other =
    llm === undefined
      ? undefined
      : bounded(
          await openModel(
            { llm, ...(baseUrl !== undefined && { baseUrl }), ...(apiKeyEnv !== undefined && { apiKeyEnv }) },
            '--guard-',
          ),
          (timeout ?? TIMEOUT) * 1000,
        )
  const { guardTurns: turns, guardUnparsable: unparsable, guardSegment: segment } = flags
  const options = { turns, unparsable, segment, ...(prefix !== undefined && { prefix }) }
  return served => said(other ?? served, options)
}
