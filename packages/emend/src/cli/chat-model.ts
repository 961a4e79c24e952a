/** The options that name a language model and say what its calls may cost, and the model they make. */
import type { Command } from 'commander'
import { UsageError } from '../errors.js'
import { resolveModel } from '../hub/resolve.js'
import { interruptSignal } from '../pipeline/interrupt.js'
import type { Caller, CallStore, CallSummary, ChatModel, Prices } from '../providers/index.js'
import { type CommonOptions, positiveNumber, realNumber, wholeNumber } from './options.js'
import { deviceOption } from './training.js'

/** What `withChatModel` adds. */
export interface ChatModelOptions extends CommonOptions {
  llm?: string
  baseUrl?: string
  apiKeyEnv?: string
  calls: string
  priceInput?: number
  priceOutput?: number
  maxCost?: number
  maxTokens: number
  concurrency: number
  retries: number
  backoff: number
  timeout: number
  requestsPerMinute?: number
  tokensPerMinute?: number
}

/**
 * Adds the options; the description says what the model is for.
 *
 * @param longest whether the longest answer is a setting
 */
export function withChatModel(command: Command, role: string, longest = true): Command {
  if (longest) command.option('--max-tokens <n>', 'longest answer', positiveNumber, 1024)
  return command
    .option(
      '--llm <provider:model>',
      `${role}: openai-compatible:NAME, openai:NAME, anthropic:NAME, bedrock:NAME, or local:FOLDER`,
    )
    .option('--base-url <url>', 'address of the API, such as http://127.0.0.1:8080/v1')
    .option('--api-key-env <name>', "the environment variable with the key; default the provider's own")
    .option('--calls <file>', 'keeps answers and spending, so that no call is paid twice', 'emend-calls.db')
    .option('--price-input <p>', 'price of a million tokens read', realNumber)
    .option('--price-output <p>', 'price of a million tokens written', realNumber)
    .option('--max-cost <c>', 'most that may be spent with the file of calls, over all its runs', realNumber)
    .option('--concurrency <n>', 'calls under way at once', positiveNumber, 4)
    .option('--retries <n>', 'how often a call that failed is tried again', wholeNumber, 5)
    .option('--backoff <seconds>', 'wait before the first of these, doubled each time', realNumber, 0.5)
    .option('--timeout <seconds>', 'how long a whole answer may take', realNumber, 120)
    .option('--requests-per-minute <n>', 'most requests a minute', positiveNumber)
    .option('--tokens-per-minute <n>', 'most tokens a minute', positiveNumber)
}

/** Both prices, or neither. @throws UsageError for one alone, or one below zero */
export function pricesOf({
  priceInput: input,
  priceOutput: output,
}: Pick<ChatModelOptions, 'priceInput' | 'priceOutput'>): Prices | undefined {
  if (input === undefined && output === undefined) return undefined
  if (input === undefined || output === undefined)
    throw new UsageError('prices come in twos: give both --price-input and --price-output')
  if (input < 0 || output < 0) throw new UsageError('--price-input, --price-output: expected at least 0')
  return { input, output }
}

/** The model with its calls kept, paced and capped; dispose of the store when done. @throws UsageError naming the option */
export async function openCaller(flags: ChatModelOptions): Promise<{ caller: Caller; store: CallStore }> {
  const { Caller, CallStore } = await import('../providers/index.js')
  const prices = pricesOf(flags)
  if (flags.maxCost !== undefined && !prices)
    throw new UsageError('--max-cost needs prices: give --price-input and --price-output')
  if ((flags.maxCost ?? 0) < 0) throw new UsageError('--max-cost: expected at least 0')
  if (flags.timeout <= 0 || flags.backoff < 0)
    throw new UsageError('--timeout, --backoff: expected more than 0 seconds')
  const model = await openModel(flags)
  const store = new CallStore(flags.calls)
  const caller = new Caller(model, {
    store,
    maxTokens: flags.maxTokens,
    // A model in this process answers one at a time: who waits for it must not run out of time.
    concurrency: flags.llm?.startsWith('local:') ? 1 : flags.concurrency,
    retries: flags.retries,
    timeout: flags.timeout * 1000,
    backoff: flags.backoff * 1000,
    stop: interruptSignal(),
    ...(prices && { prices }),
    ...(flags.maxCost !== undefined && { cap: flags.maxCost }),
    ...(flags.requestsPerMinute !== undefined && { requestsPerMinute: flags.requestsPerMinute }),
    ...(flags.tokensPerMinute !== undefined && { tokensPerMinute: flags.tokensPerMinute }),
  })
  return { caller, store }
}

/**
 * The model by itself, its calls not kept.
 *
 * @param option how the names of its options begin
 * @throws UsageError naming the option
 */
export async function openModel(
  flags: Pick<ChatModelOptions, 'llm' | 'baseUrl' | 'apiKeyEnv' | 'threads' | 'device'>,
  option = '--',
): Promise<ChatModel> {
  const { llm, baseUrl, apiKeyEnv } = flags
  const { filesIdentity, localModel, PROVIDERS, remoteModel } = await import('../providers/index.js')
  const [, provider, model] = /^([^:]+):(.+)$/s.exec(llm ?? '') ?? []
  if (provider === 'local') {
    const { LanguageModel } = await import('../index.js')
    if (flags.threads !== undefined) (await import('@emend/torch')).setNumThreads(flags.threads)
    const loaded = await LanguageModel.load(model!, deviceOption(flags))
    return localModel(loaded, llm!, filesIdentity(llm!, resolveModel(model!)))
  }
  const known = PROVIDERS.find(name => name === provider)
  if (!known)
    throw new UsageError(
      `${option}llm: got ${llm ?? 'nothing'}, expected ${[...PROVIDERS, 'local'].join(', ')}, a colon, and a name`,
    )
  const apiKey = apiKeyEnv === undefined ? undefined : process.env[apiKeyEnv]
  if (apiKeyEnv !== undefined && !apiKey)
    throw new UsageError(`${option}api-key-env ${apiKeyEnv}: the environment has no such variable, or it is empty`)
  return remoteModel({
    provider: known,
    model: model!,
    ...(baseUrl !== undefined && { baseUrl }),
    ...(apiKey !== undefined && { apiKey }),
  })
}

/** The calls of a run for people: what was asked, what failed, what it cost. */
export function describeCalls(summary: CallSummary, priced: boolean): string {
  const { answered, cached, attempts, given_up, failures, usage_unknown, ignored, spent, open } = summary
  const tokens = `${summary.input_tokens} tokens read, ${summary.output_tokens} written`
  return [
    `calls: ${answered} answered (${attempts} requests), ${cached} from disk, ${given_up} given up; ${tokens}`,
    ...Object.entries(failures).map(([kind, { n, first }]) => `  ${kind}: ${n}, first: ${first}`),
    ...(usage_unknown > 0 ? [`  ${usage_unknown} answers without usage, counted at their worst`] : []),
    ...(ignored.length > 0 ? [`  the provider does not take ${ignored.join(', ')}: answers were given without`] : []),
    ...(open > 0 ? [`  ${open} calls of earlier runs never came to an end, and may have been paid for nothing`] : []),
    ...(priced ? [`spent with this file of calls: ${spent.toFixed(6)}`] : []),
  ].join('\n')
}
