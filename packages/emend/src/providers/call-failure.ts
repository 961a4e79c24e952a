/** From what the AI SDK throws to a CallError: what went wrong, whether it is paid, and no key in what is said of it. */
import { APICallError } from 'ai'
import { CallError, type CallFailure } from './call-error.js'

/** Longest that a server's words are repeated. */
const MOST_SAID = 400

/** A gateway's word that it waited in vain for a provider, which may have answered and charge for it. */
const PASSED_ON = [502, 504, 524]

/** What was thrown, as one line without the secrets: by the status of the answer, or by what stands in its place. */
export function callError(name: string, error: unknown, secrets: readonly string[], signal?: AbortSignal): CallError {
  const known = causes(error).find(each => each instanceof CallError)
  if (known) return known
  if (signal?.aborted) return stopped(name, signal)
  const message = `${name}: ${said(wordsOf(error), secrets)}`
  const cause = withoutSecrets(error, secrets)
  const api = APICallError.isInstance(error) ? error : undefined
  const status = api?.statusCode
  if (status !== undefined && status >= 400)
    return new CallError(failureOf(status), `${message} (status ${status})`, {
      charged: PASSED_ON.includes(status),
      retryAfter: waitOf(api?.responseHeaders),
      cause,
    })
  // A request that was never taken costs nothing; of any other without a status nobody knows.
  const codes = causes(error).map(each => (each as { code?: unknown }).code)
  const unreachable = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'].some(
    each => codes.includes(each) || message.includes(each),
  )
  const network = unreachable || (api !== undefined && status === undefined)
  return new CallError(network ? 'network' : 'broken', message, { charged: !unreachable, cause })
}

/** A call that a signal ended: by its time, or by whoever asked. */
export function stopped(name: string, signal: AbortSignal | undefined, charged = true): CallError {
  const timeout = (signal?.reason as { name?: string } | undefined)?.name === 'TimeoutError'
  return new CallError(timeout ? 'timeout' : 'stopped', `${name}: ${timeout ? 'no answer in time' : 'stopped'}`, {
    charged,
  })
}

/** What is said of an error, with what is at its root: of an answer that broke off, the SDK says that it failed to process it. */
function wordsOf(error: unknown): string {
  const told = causes(error).flatMap(each => {
    const { message } = each as { message?: unknown }
    return typeof message === 'string' && message !== '' ? [message] : []
  })
  const [first, root] = [told[0] ?? String(error), told.at(-1) ?? '']
  return first.includes(root) ? first : `${first}: ${root}`
}

function causes(error: unknown): unknown[] {
  const all: unknown[] = []
  for (let each = error; each != null && all.length < 8; each = (each as { cause?: unknown }).cause) all.push(each)
  return all
}

/** Words of others in one line: without secrets, without control characters, not endless. */
function said(text: string, secrets: readonly string[]): string {
  const line = hide(text.slice(0, 1 << 16), secrets)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
  return line.length > MOST_SAID ? `${line.slice(0, MOST_SAID)}…` : line
}

/** A server may repeat the key that it was sent, and `--debug` prints causes. */
function withoutSecrets(error: unknown, secrets: readonly string[]): Error | undefined {
  if (!(error instanceof Error)) return undefined
  const cause = new Error(said(error.message, secrets))
  cause.stack = hide((error.stack ?? '').slice(0, 1 << 16), secrets)
  return cause
}

const hide = (text: string, secrets: readonly string[]) =>
  secrets.reduce((rest, secret) => rest.replaceAll(secret, '[key]'), text)

function failureOf(status: number): CallFailure {
  if (status === 429) return 'rate limit'
  if ([401, 402, 403, 404].includes(status)) return 'denied'
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
