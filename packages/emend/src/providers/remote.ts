/** Language models behind an API, through the AI SDK. One call is one request: who calls decides about trying again. */
import { type LanguageModel, streamText } from 'ai'
import { UsageError } from '../errors.js'
import { CallError } from './call-error.js'
import { callError, stopped } from './call-failure.js'
import type { ChatFinish, ChatMessage, ChatModel, ChatOptions } from './chat-model.js'
import { guardedFetch } from './guarded-fetch.js'

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
  /** Default: the provider's variable (`OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, `AWS_BEARER_TOKEN_BEDROCK` or AWS's others). Never stored. */
  readonly apiKey?: string
}

interface Surroundings {
  /** Variables that may hold its address, the provider's own otherwise. */
  readonly addresses: readonly string[]
  readonly address?: string
  /** The variable that holds its key. */
  readonly key?: string
  /** Variables that do in the place of a key. */
  readonly signing?: readonly string[]
}

/** Where each provider's own SDK looks. A variable that is empty counts as none, which the SDKs do not hold to. */
const ENVIRONMENT: Readonly<Record<Provider, Surroundings>> = {
  'openai-compatible': { addresses: [] },
  openai: { addresses: ['OPENAI_BASE_URL'], address: 'https://api.openai.com/v1', key: 'OPENAI_API_KEY' },
  anthropic: { addresses: ['ANTHROPIC_BASE_URL'], address: 'https://api.anthropic.com/v1', key: 'ANTHROPIC_API_KEY' },
  bedrock: {
    addresses: ['AWS_ENDPOINT_URL_BEDROCK_RUNTIME', 'AWS_ENDPOINT_URL'],
    key: 'AWS_BEARER_TOKEN_BEDROCK',
    signing: ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_REGION'],
  },
}

const variable = (name: string) => process.env[name]?.trim() || undefined

interface Remote {
  readonly name: string
  readonly model: LanguageModel
  /** What no message may repeat. */
  readonly secrets: readonly string[]
  /** Why it cannot be asked. */
  readonly locked?: string
}

/** @throws UsageError where `openai-compatible` has no address, or an address cannot be one */
export async function remoteModel(settings: RemoteSettings): Promise<ChatModel> {
  const { provider, model } = settings
  const { addresses, address, key, signing } = ENVIRONMENT[provider]
  const name = `${provider}:${model}`
  const given = settings.baseUrl ?? addresses.map(variable).find(Boolean)
  const baseUrl = given === undefined ? undefined : checkedAddress(provider, given)
  const apiKey = settings.apiKey?.trim() || (key && variable(key))
  const missing = apiKey || !key ? [] : (signing ?? [key]).filter(each => !variable(each))
  const place = provider === 'bedrock' ? (baseUrl ?? variable('AWS_REGION')) : baseUrl
  const remote: Remote = {
    name,
    model: await open(provider, model, {
      ...((baseUrl ?? address) && { baseURL: (baseUrl ?? address)! }),
      ...((apiKey || missing.length > 0) && { apiKey: apiKey || 'none' }),
      fetch: guardedFetch(name),
    }),
    // Shorter ones are no keys, and would blot out words.
    secrets: [apiKey, ...['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'].map(variable)].filter(
      secret => secret !== undefined && secret.length >= 6,
    ) as string[],
    ...(missing.length > 0
      ? { locked: `${name}: no key; set ${[key, ...(signing ? [missing.join(' and ')] : [])].join(', or ')}` }
      : provider === 'bedrock' && !place && { locked: `${name}: no region; set AWS_REGION` }),
  }
  return {
    name,
    identity: place === undefined ? name : `${name}@${place}`,
    chat: (messages, options) => chat(remote, messages, options),
  }
}

/** The address without a slash at its end. Credentials in it would be stored and shown, a query would be cut. */
function checkedAddress(provider: Provider, given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (!url || !/^https?:$/.test(url.protocol))
    throw new UsageError(`${provider}: expected an address such as http://127.0.0.1:8080/v1`)
  if (url.username || url.password || url.search || url.hash)
    throw new UsageError(`${provider}: expected an address without name, password, ? or #; keys come by --api-key-env`)
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '')
}

interface Place {
  readonly baseURL?: string
  readonly apiKey?: string
  readonly fetch: typeof fetch
}

async function open(provider: Provider, model: string, place: Place): Promise<LanguageModel> {
  // The SDK would print what a provider does not take; here it is part of the answer.
  globalThis.AI_SDK_LOG_WARNINGS ??= false
  switch (provider) {
    case 'openai-compatible': {
      const { baseURL } = place
      if (baseURL === undefined) throw new UsageError('openai-compatible: no address; give one with --base-url')
      const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible')
      return createOpenAICompatible({ ...place, name: provider, baseURL, includeUsage: true }).chatModel(model)
    }
    case 'openai':
      return (await import('@ai-sdk/openai')).createOpenAI(place).chat(model)
    case 'anthropic':
      return (await import('@ai-sdk/anthropic')).createAnthropic(place)(model)
    case 'bedrock':
      return (await import('@ai-sdk/amazon-bedrock')).createAmazonBedrock(place)(model)
  }
}

/** Most characters that a token may stand for: the longest known are runs of 128 spaces. */
const TOKEN_CHARACTERS = 128

async function* chat(
  { name, model, secrets, locked }: Remote,
  messages: readonly ChatMessage[],
  { maxTokens, temperature, seed, signal, prefill, onEnd }: ChatOptions = {},
): AsyncGenerator<string> {
  if (locked !== undefined) throw new CallError('denied', locked, { charged: false })
  const turns: ChatMessage[] = prefill ? [...messages, { role: 'assistant', content: prefill }] : [...messages]
  // Whoever goes away in the middle, or had enough, wants no more of it sent.
  const left = new AbortController()
  const stream = streamText({
    model,
    messages: turns,
    allowSystemInMessages: true,
    maxRetries: 0,
    includeRawChunks: true,
    // Errors come as parts of the stream; the SDK would print them besides.
    onError: () => {},
    abortSignal: signal ? AbortSignal.any([signal, left.signal]) : left.signal,
    ...(maxTokens !== undefined && { maxOutputTokens: maxTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(seed !== undefined && { seed }),
  })
  let room = maxTokens === undefined ? Number.POSITIVE_INFINITY : maxTokens * TOKEN_CHARACTERS
  const ignored: string[] = []
  try {
    for await (const part of stream.fullStream) {
      if (part.type === 'text-delta') {
        room -= part.text.length
        if (room < 0)
          throw new CallError('overlong', `${name}: the answer is far longer than the ${maxTokens} tokens allowed`, {
            charged: true,
          })
        yield part.text
      } else if (part.type === 'raw') {
        // The SDK reads the first choice of each event, whichever of several it is.
        if (choicesOf(part.rawValue).some(({ index }) => index > 0))
          throw new CallError('broken', `${name}: the answer holds several choices, where one was asked for`, {
            charged: true,
          })
      } else if (part.type === 'start-step') {
        for (const warning of part.warnings) if ('feature' in warning) ignored.push(warning.feature)
      } else if (part.type === 'abort') throw stopped(name, signal)
      else if (part.type === 'error') throw part.error
      else if (part.type === 'finish') {
        if (part.rawFinishReason === undefined)
          throw new CallError('broken', `${name}: the answer ends without saying that it is at its end`, {
            charged: true,
          })
        const { inputTokens: input, outputTokens: output } = part.totalUsage
        onEnd?.({
          finish: FINISHES[part.finishReason] ?? 'other',
          ...(input !== undefined && output !== undefined && { usage: { input, output } }),
          ...(ignored.length > 0 && { ignored }),
        })
      }
    }
  } catch (error) {
    throw callError(name, error, secrets, signal)
  } finally {
    left.abort()
  }
}

/** Choices in an event of OpenAI's kind; none in those of others. */
function choicesOf(event: unknown): readonly { readonly index: number }[] {
  const { choices } = (event ?? {}) as { choices?: unknown }
  return Array.isArray(choices) ? choices.map(choice => ({ index: Number(choice?.index) })) : []
}

const FINISHES: Partial<Record<string, ChatFinish>> = { stop: 'stop', length: 'length', 'content-filter': 'filtered' }
