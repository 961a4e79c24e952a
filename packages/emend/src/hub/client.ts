/** The few questions that pulling asks a hub, with errors that say what to do. */
import { EmendError, Interrupted, oneLine, UsageError } from '../errors.js'

/** A file on the hub: `hash` names its blob, SHA-256 of the content for large files, git's SHA-1 for others. */
export interface Remote {
  readonly path: string
  readonly size: number
  readonly hash: string
  readonly large: boolean
}

/** How a hub is reached. */
export interface HubOptions {
  /** Default: HF_ENDPOINT, or Hugging Face's. */
  readonly endpoint?: string
  /** Sent to the endpoint alone; default HF_TOKEN. */
  readonly token?: string
  readonly signal?: AbortSignal
}

export type Hub = Awaited<ReturnType<typeof connect>>

/** @throws UsageError where the endpoint is no URL; what is asked throws EmendError of one line, or Interrupted */
export async function connect(options: HubOptions) {
  const { downloadFile, HUB_URL, listFiles, modelInfo } = await import('@huggingface/hub')
  const hubUrl = (options.endpoint ?? process.env['HF_ENDPOINT'] ?? HUB_URL).replace(/\/+$/, '')
  if (!URL.canParse(hubUrl)) throw new UsageError(`endpoint ${hubUrl}: expected a URL such as ${HUB_URL}`)
  const token = options.token ?? process.env['HF_TOKEN']
  const origin = new URL(hubUrl).origin
  // The library insists on tokens of Hugging Face's form, and mirrors have others; nobody but the endpoint gets one.
  const fetching: typeof fetch = (input, init) => {
    const headers = new Headers(init?.headers)
    const url = input instanceof Request ? input.url : String(input)
    if (token && new URL(url).origin === origin) headers.set('Authorization', `Bearer ${token}`)
    return fetch(input, { ...init, headers, ...(options.signal && { signal: options.signal }) })
  }
  const common = { hubUrl, fetch: fetching }
  const said = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw hubError(error, what, hubUrl, Boolean(token), options.signal)
    }
  }
  return {
    url: hubUrl,
    /** whether it is given one */
    token: Boolean(token),
    commitOf: (name: string, revision: string) =>
      said(`${name} (revision ${revision})`, async () => {
        const { sha } = await modelInfo({ ...common, name, revision, additionalFields: ['sha'] })
        if (/^[0-9a-f]{40}$/.test(sha)) return sha
        throw new EmendError(`${hubUrl}: got no commit for ${name}, expected 40 hexadecimal digits`)
      }),
    list: (name: string, revision: string) =>
      said(name, async () => {
        const found: Remote[] = []
        for await (const { type, path, size, oid, lfs } of listFiles({
          ...common,
          repo: name,
          revision,
          recursive: true,
        })) {
          if (type !== 'file') continue
          const hash = lfs?.oid ?? oid ?? ''
          if (!/^[0-9a-f]{40,64}$/.test(hash) || path.split(/[/\\]/).includes('..') || /^[/\\]|^[a-z]:/i.test(path))
            throw new EmendError(`${name}: the hub lists a file that cannot be kept safely: ${path}`)
          found.push({ path, size: lfs?.size ?? size, hash, large: lfs !== undefined })
        }
        return found
      }),
    /** The bytes of a file from an offset on. */
    stream: async (name: string, revision: string, path: string, from: number) => {
      // Plain ranges of bytes, which every hub and mirror gives, and no protocol of chunks.
      const blob = await downloadFile({ ...common, repo: name, revision, path, xet: false })
      if (!blob) throw new EmendError(`${name}: ${path} is listed and not there`)
      return (from > 0 ? blob.slice(from) : blob).stream()
    },
    said,
  }
}

/** Whether a connection broke, which another try may mend. */
export function isCut(error: unknown): boolean {
  const status = (error as { statusCode?: number }).statusCode
  return error instanceof TypeError || (status !== undefined && (status >= 500 || status === 429))
}

/** What a question to the hub ended with, in a line that says what to do. */
export function hubError(
  error: unknown,
  what: string,
  url: string,
  token: boolean,
  signal: AbortSignal | undefined,
): Error {
  if (signal?.aborted) return new Interrupted('stopped; the same command goes on where this one ended')
  if (error instanceof EmendError || isSystem(error)) return error as Error
  const { statusCode, message } = error as { statusCode?: number; message: string }
  const because = (text: string) => new EmendError(`${what}: ${text}`, { cause: error })
  if (statusCode === 401 || statusCode === 403)
    return because(
      token
        ? `${url} refuses the token (${statusCode}): it is wrong, or has not been granted access to this model`
        : `${url} says ${statusCode}: no such model, or one for which a token must be set in HF_TOKEN`,
    )
  if (statusCode === 404) return because(`${url} knows no such model or revision; check both names`)
  if (statusCode !== undefined) return because(`${url} answered ${statusCode}; try again later`)
  if (!(error instanceof TypeError)) return because(`${url} gave an answer that is not a hub's (${oneLine(error)})`)
  const cause = (error.cause as NodeJS.ErrnoException | undefined)?.code ?? message
  return because(`the connection to ${url} failed (${cause}); run the same command again to go on`)
}

/** Whether the system refused something, such as a write. */
export const isSystem = (error: unknown) => typeof (error as NodeJS.ErrnoException).syscall === 'string'
