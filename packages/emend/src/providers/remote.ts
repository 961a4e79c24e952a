/** Language models behind an API, through the AI SDK. One call is one request: who calls decides about trying again. */
import { APICallError, type LanguageModel, LoadAPIKeyError, streamText } from 'ai'
import { UsageError } from '../errors.js'
import { CallError, type CallFailure } from './call-error.js'
import type { ChatFinish, ChatMessage, ChatModel, ChatOptions } from './chat-model.js'

/** The APIs that are spoken. */
export const PROVIDERS = ['openai-compatible', 'openai', 'anthropic', 'bedrock'] as const
export type Provider = (typeof PROVIDERS)[number]

/** A model behind an API. */
export interface RemoteSettings {
  readonly provider: Provider
  /** As the provider calls it. */
  readonly model: string
  /** Such as `http://127.0.0.1:8080/v1`; needed for `openai-compatible`, the provider's own by default. */
  readonly baseUrl?: string
  /** Default: where the provider's SDK looks (`OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, AWS's variables). Never stored. */
  readonly apiKey?: string
}

/** @throws UsageError where `openai-compatible` has no address */
export async function remoteModel(settings: RemoteSettings): Promise<ChatModel> {
  const { provider, model, baseUrl } = settings
  const sdkModel = await open(settings)
  const name = `${provider}:${model}`
  return {
    name,
    identity: baseUrl === undefined ? name : `${name}@${baseUrl}`,
    chat: (messages, options) => chat(sdkModel, name, messages, options),
  }
}

async function open({ provider, model, baseUrl, apiKey }: RemoteSettings): Promise<LanguageModel> {
  const place = { ...(baseUrl !== undefined && { baseURL: baseUrl }), ...(apiKey !== undefined && { apiKey }) }
  switch (provider) {
    case 'openai-compatible': {
      if (baseUrl === undefined) throw new UsageError('openai-compatible: no address; give one with --base-url')
      const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible')
      return createOpenAICompatible({ ...place, name: provider, baseURL: baseUrl, includeUsage: true }).chatModel(model)
    }
    case 'openai':
      return (await import('@ai-sdk/openai')).createOpenAI(place).chat(model)
    case 'anthropic':
      return (await import('@ai-sdk/anthropic')).createAnthropic(place)(model)
    case 'bedrock':
      return (await import('@ai-sdk/amazon-bedrock')).createAmazonBedrock(place)(model)
  }
}

async function* chat(
  model: LanguageModel,
  name: string,
  messages: readonly ChatMessage[],
  { maxTokens, temperature, seed, signal, prefill, onEnd }: ChatOptions = {},
): AsyncGenerator<string> {
  const turns: ChatMessage[] = prefill ? [...messages, { role: 'assistant', content: prefill }] : [...messages]
  const stream = streamText({
    model,
    messages: turns,
    allowSystemInMessages: true,
    maxRetries: 0,
    // Errors come as parts of the stream; the SDK would print them besides.
    onError: () => {},
    ...(maxTokens !== undefined && { maxOutputTokens: maxTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(seed !== undefined && { seed }),
    ...(signal && { abortSignal: signal }),
  })
  let failed: CallError | undefined
  try {
    for await (const part of stream.fullStream) {
      if (part.type === 'text-delta') yield part.text
      else if (part.type === 'abort') throw stopped(name, signal)
      else if (part.type === 'error') throw (failed = callError(name, part.error, signal))
      else if (part.type === 'finish') {
        const { inputTokens: input, outputTokens: output } = part.totalUsage
        onEnd?.({
          finish: FINISHES[part.finishReason] ?? 'other',
          ...(input !== undefined && output !== undefined && { usage: { input, output } }),
        })
      }
    }
  } catch (error) {
    throw failed ?? callError(name, error, signal)
  }
}

const FINISHES: Partial<Record<string, ChatFinish>> = { stop: 'stop', length: 'length', 'content-filter': 'filtered' }

function stopped(name: string, signal: AbortSignal | undefined): CallError {
  const timeout = (signal?.reason as { name?: string } | undefined)?.name === 'TimeoutError'
  return new CallError(timeout ? 'timeout' : 'stopped', `${name}: ${timeout ? 'no answer in time' : 'stopped'}`, {
    charged: true,
  })
}

/** What went wrong, by the status of the answer, or by what stands in its place. */
function callError(name: string, error: unknown, signal: AbortSignal | undefined): CallError {
  if (error instanceof CallError) return error
  if (signal?.aborted) return stopped(name, signal)
  const what = (error as { message?: unknown } | null)?.message
  const message = `${name}: ${(typeof what === 'string' ? what : String(error)).replace(/\s*\n\s*/g, ' ').trim()}`
  const status = APICallError.isInstance(error) ? error.statusCode : undefined
  if (APICallError.isInstance(error) && status !== undefined && status >= 400)
    return new CallError(failureOf(status), `${message} (status ${status})`, {
      charged: false,
      retryAfter: waitOf(error.responseHeaders),
      cause: error,
    })
  // A request that was never taken costs nothing; of any other without a status nobody knows.
  const { code } = ((error as { cause?: { cause?: unknown } } | null)?.cause ?? {}) as { code?: string }
  const unreachable = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'].some(each => code === each || message.includes(each))
  const network = APICallError.isInstance(error) && status === undefined
  if (LoadAPIKeyError.isInstance(error)) return new CallError('denied', message, { charged: false, cause: error })
  return new CallError(network || unreachable ? 'network' : 'broken', message, { charged: !unreachable, cause: error })
}

function failureOf(status: number): CallFailure {
  if (status === 429) return 'rate limit'
  if (status === 401 || status === 403 || status === 404) return 'denied'
  return status >= 500 || status === 408 || status === 409 ? 'server error' : 'refused'
}

/** `retry-after-ms`, or `retry-after` in seconds or as a date, in milliseconds. */
function waitOf(headers: Readonly<Record<string, string>> | undefined): number | undefined {
  const ms = Number(headers?.['retry-after-ms'] ?? Number.NaN)
  if (Number.isFinite(ms)) return Math.max(0, ms)
  const after = headers?.['retry-after']
  if (after === undefined) return undefined
  const seconds = Number(after)
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(after) - Date.now()
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined
}
