/** The HTTP application: routes, and what holds for all of them. */
import type { HttpBindings } from '@hono/node-server'
import { Hono, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { oneLine } from '../errors.js'
import type { Admission } from './admission.js'
import { ApiError } from './api-error.js'
import { type Connection, chat, completion } from './generation-routes.js'
import { guard } from './guard.js'
import { score } from './score-route.js'
import { modelEntry, type ServedModel } from './served-model.js'

export interface AppOptions {
  readonly admission: Admission
  /** whether the server listens on this machine only */
  readonly loopback: boolean
  readonly apiKey?: string
  /** told in one line what went wrong inside */
  log(line: string): void
}

interface Environment {
  Bindings: Partial<HttpBindings>
  Variables: { connection: Connection }
}

/** Longer than any context's worth of text. */
const BODY_BYTES = 4 * 1024 * 1024
/** What is done with a client that does not take its answer. */
const UNREAD_MS = 60_000

export function createApp(model: ServedModel, options: AppOptions): Hono<Environment> {
  const app = new Hono<Environment>()
  app.get('/healthz', c => {
    const { alive } = model.compute
    return c.json(
      { status: alive ? 'ok' : 'failed', model: model.id, under_way: options.admission.used },
      alive ? 200 : 503,
    )
  })

  app.use('/v1/*', guard(options))
  app.get('/v1/models', c => c.json({ object: 'list', data: [modelEntry(model)] }))
  app.get('/v1/models/:id{.+}', c => {
    const id = c.req.param('id')
    if (id !== model.id) throw new ApiError(404, `model '${id}' is not here`, { code: 'model_not_found' })
    return c.json(modelEntry(model))
  })

  const limit = bodyLimit({
    maxSize: BODY_BYTES,
    onError: () => {
      throw new ApiError(413, `the body is larger than ${BODY_BYTES} bytes`, { code: 'body_too_large' })
    },
  })
  const admit = admission(options.admission)
  const turn = turnstile()
  const inTurn: MiddlewareHandler = async (_, next) => {
    await turn()
    await next()
  }
  const routes = { '/v1/chat/completions': chat, '/v1/completions': completion, '/v1/score': score }
  for (const [path, route] of Object.entries(routes)) {
    // Its body as a stream of the web takes a while to make: of many that arrive in one moment, each has a turn of its own.
    app.post(path, admit, inTurn, limit, async c => {
      const body = await c.req.text()
      await turn()
      return route(model, parseJson(body), c.get('connection'))
    })
    app.all(path, c => {
      throw new ApiError(405, `${c.req.method} ${path}: only POST`, {
        code: 'wrong_method',
        headers: { allow: 'POST' },
      })
    })
  }

  app.notFound(c =>
    new ApiError(404, `${c.req.method} ${c.req.path}: no such route`, { code: 'unknown_url' }).response(),
  )
  app.onError((error, c) => {
    if (error instanceof ApiError) return error.response()
    // A client that goes away while it sends its body is nobody's fault.
    if (!c.req.raw.signal.aborted) options.log(`${c.req.method} ${c.req.path}: ${oneLine(error)}`)
    return new ApiError(500, 'the server made a mistake; its log says more').response()
  })
  return app
}

/** Takes a place for a request, before its body is read, until its client has the answer or is gone. */
function admission(places: Admission): MiddlewareHandler<Environment> {
  return async (c, next) => {
    const outgoing = c.env?.outgoing
    const taken = [places.take(1)]
    const release = () => {
      for (const give of taken) give()
    }
    outgoing?.once('close', release)
    const drop = () => outgoing?.destroy()
    c.set('connection', {
      signal: c.req.raw.signal,
      capacity: places.capacity,
      reserve: more => taken.push(places.take(more)),
      drop,
    })
    await next()
    if (!outgoing || outgoing.destroyed) return release()
    if (c.res.headers.get('content-type')?.startsWith('text/event-stream')) return
    const unread = setTimeout(drop, UNREAD_MS).unref()
    outgoing.once('close', () => clearTimeout(unread))
  }
}

/** Lets requests through one by one, the event loop turning in between: many at once do not keep the others waiting. */
function turnstile(): () => Promise<void> {
  let last = Promise.resolve()
  return () => {
    last = last.then(() => new Promise(resolve => setImmediate(resolve)))
    return last
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ApiError(400, `the body is no JSON: ${(error as Error).message}`, { code: 'invalid_json' })
  }
}
