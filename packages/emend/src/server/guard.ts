/** Who may ask: no page of another origin, no name that merely resolves to this machine, and with a key only who knows it. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import { ApiError } from './api-error.js'

/** Whether an address or name, IPv6 with or without brackets, reaches this machine only. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d+){3}|::1|\[::1\])$/i.test(host)

/**
 * Refuses requests that a web page could make a browser send: a foreign `Origin`, a body that is not declared as JSON (the only
 * kind that needs a preflight, which is never granted) and, on loopback, a `Host` that is another name (DNS rebinding).
 *
 * @param o.loopback whether the server listens on this machine only
 * @param o.apiKey what `Authorization: Bearer` must carry, if anything
 */
export function guard(o: { loopback: boolean; apiKey?: string }): MiddlewareHandler {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const expected = o.apiKey === undefined ? undefined : digest(`Bearer ${o.apiKey}`)
  return async (c, next) => {
    const host = c.req.header('host') ?? ''
    if (o.loopback && !isLoopback(host.replace(/:\d+$/, ''))) {
      throw new ApiError(403, `host ${host || 'missing'}: this server answers to localhost only`, {
        code: 'wrong_host',
      })
    }
    const origin = c.req.header('origin')
    if (origin !== undefined && !sameOrigin(origin, host)) {
      throw new ApiError(403, `origin ${origin}: requests of web pages elsewhere are refused`, { code: 'wrong_origin' })
    }
    if (expected && !timingSafeEqual(digest(c.req.header('authorization') ?? ''), expected)) {
      throw new ApiError(401, 'the API key is missing or wrong (Authorization: Bearer …)', { code: 'invalid_api_key' })
    }
    if (c.req.method === 'POST' && !/^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? '')) {
      throw new ApiError(415, 'content-type: expected application/json', { code: 'wrong_content_type' })
    }
    return next()
  }
}

function sameOrigin(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
}
