/** HTTP as it is used for language models: nothing is followed elsewhere, and nothing is endless. */
import { CallError } from './call-error.js'

/** Most bytes of one answer: a token comes in some hundred bytes of events. */
const MOST_BYTES = 64 << 20

/** What a page or a plain answer is sent as, where a stream of events was asked for. */
const NO_STREAM = /^\s*(text\/html|application\/(json|xml)|text\/xml)\b/i

/**
 * `fetch` for one model. A redirect is not followed, since the key would go with it; a page in the place of a stream of events is
 * told apart from a model that says nothing.
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
      await body?.cancel()
      throw new CallError(
        'broken',
        `${name}: answered with ${type.slice(0, 60)} where a stream of events was asked for; is it the address of the API?`,
        { charged: true },
      )
    }
    if (!body) return response
    let bytes = 0
    const counted = body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          bytes += chunk.length
          if (bytes <= MOST_BYTES) return controller.enqueue(chunk)
          controller.error(
            new CallError('overlong', `${name}: the answer has more than ${MOST_BYTES >> 20} MiB`, { charged: true }),
          )
        },
      }),
    )
    return new Response(counted, { status, statusText, headers })
  }
}

/** Without what a query may hold. */
function destination(location: string | null): string {
  if (location === null) return ''
  const [place = ''] = location.split(/[?#]/, 1)
  return ` to ${place.replace(/[^\x21-\x7e]/g, '').slice(0, 200)}`
}
