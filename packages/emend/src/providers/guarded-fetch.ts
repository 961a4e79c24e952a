/** HTTP as it is used for language models: nothing is followed elsewhere, and nothing is endless. */
import { APICallError } from 'ai'
import * as z from 'zod'
import { CallError } from './call-error.js'

/** Most bytes of one answer: a token comes in some hundred bytes of events. */
const MOST_BYTES = 64 << 20

/** Of an answer in one piece, which is read for its error only. */
const MOST_ERROR_BYTES = 1 << 20

/** What a page or a plain answer is sent as, where a stream of events was asked for. */
const NO_STREAM = /^\s*(text\/html|application\/(json|xml)|text\/xml)\b/i

/**
 * `fetch` for one model. A redirect is not followed, since the key would go with it; a page in the place of a stream of events is
 * told apart from a model that says nothing, and an error that comes as an answer is one.
 */
export function guardedFetch(name: string): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, { ...init, redirect: 'manual' })
    const { status, statusText, headers, body } = response
    if (status >= 300 && status < 400) {
      await body?.cancel()
      throw new CallError(
        'denied',
        `${name}: redirected${destination(headers.get('location'))} (status ${status}), where the key would go with it; give the address itself`,
        { charged: false },
      )
    }
    const type = headers.get('content-type') ?? ''
    if (response.ok && NO_STREAM.test(type)) {
      const error = /json/i.test(type) && body ? await toldError(atMost(name, body, MOST_ERROR_BYTES)) : undefined
      if (!error) await body?.cancel()
      throw (
        error ??
        new CallError(
          'broken',
          `${name}: answered with ${type.slice(0, 60)} where a stream of events was asked for; is it the address of the API?`,
          { charged: true },
        )
      )
    }
    return body ? new Response(atMost(name, body, MOST_BYTES), { status, statusText, headers }) : response
  }
}

/** @throws CallError from its reader once there are more bytes */
function atMost(name: string, body: ReadableStream<Uint8Array>, most: number): ReadableStream<Uint8Array> {
  let bytes = 0
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.length
        if (bytes <= most) return controller.enqueue(chunk)
        controller.error(
          new CallError('overlong', `${name}: the answer has more than ${most >> 20} MiB`, { charged: true }),
        )
      },
    }),
  )
}

/** What OpenAI and those who speak like it say in a body: `{error: {message, code}}`, the code sometimes the status it should have had. */
const errorBody = z.object({
  error: z.union([z.string(), z.object({ message: z.string(), code: z.unknown().optional() })]),
})

/** The provider's own error in a body that is JSON. Its words are not ours: who catches it hides secrets in them. */
async function toldError(body: ReadableStream<Uint8Array>): Promise<Error | undefined> {
  const text = await new Response(body).text()
  let told: z.infer<typeof errorBody>['error']
  try {
    told = errorBody.parse(JSON.parse(text)).error
  } catch {
    return undefined
  }
  if (typeof told === 'string') return new Error(told)
  const statusCode = Number(told.code)
  if (!(statusCode >= 400 && statusCode < 600)) return new Error(told.message)
  return new APICallError({ message: told.message, url: '', requestBodyValues: {}, statusCode })
}

/** Without what a query may hold. */
function destination(location: string | null): string {
  if (location === null) return ''
  const [place = ''] = location.split(/[?#]/, 1)
  return ` to ${place.replace(/[^\x21-\x7e]/g, '').slice(0, 200)}`
}
