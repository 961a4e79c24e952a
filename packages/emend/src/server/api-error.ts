/** Errors as OpenAI's API words them: `{error: {message, type, param, code}}` with a status. */

/** A refusal with its status; whatever else is thrown while a request is answered is a 500. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly status: number
  readonly param: string | null
  readonly code: string | null
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    message: string,
    o: { param?: string | null; code?: string | null; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message)
    this.status = status
    this.param = o.param ?? null
    this.code = o.code ?? null
    this.headers = o.headers ?? {}
  }

  /** The body of the response. */
  toJSON() {
    const { message, param, code } = this
    return { error: { message, type: typeOf(this.status), param, code } }
  }

  /** As the response to a request. */
  response(): Response {
    return Response.json(this, { status: this.status, headers: this.headers })
  }
}

/** 400 for a field that cannot be used. */
export const wrongField = (param: string, message: string, code: string | null = null): ApiError =>
  new ApiError(400, `${param}: ${message}`, { param, code })

/** 503, since the server is stopping or its model is gone. */
export const unavailable = (message: string): ApiError => new ApiError(503, message, { code: 'unavailable' })

function typeOf(status: number): string {
  if (status === 429) return 'rate_limit_error'
  return status < 500 ? 'invalid_request_error' : 'server_error'
}
