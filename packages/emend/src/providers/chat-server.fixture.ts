/** A local server that speaks OpenAI's chat API and fails as real ones do; it counts what it is asked. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ChatMessage } from './chat-model.js'

export type Fault =
  | '429'
  | '500'
  | '401'
  | '400'
  | 'silence'
  | 'garbage'
  | 'half, then cut'
  | 'half, then end'
  | 'error event'

export interface ServedRequest {
  readonly model: string
  readonly messages: readonly ChatMessage[]
  readonly max_tokens: number
  readonly stream: boolean
}

export interface ChatServerOptions {
  /** What it answers. */
  reply(request: ServedRequest): string
  /** What goes wrong with the n-th request, counted from 0. */
  fault?(n: number, request: ServedRequest): Fault | undefined
  /** Milliseconds before an answer begins. */
  delay?: number
  /** Whether answers end by length. */
  truncated?(request: ServedRequest): boolean
  /** Whether usage is told; default true. */
  usage?: boolean
  /** What a 429 asks for; default 5. */
  retryAfterMs?: string
}

/** Tokens as this server counts them: a word each. */
export const tokensOf = (text: string): number => text.split(/\s+/).filter(Boolean).length

export async function chatServer(options: ChatServerOptions) {
  const requests: ServedRequest[] = []
  /** Requests that were answered in full, by their messages. */
  const answered = new Map<string, number>()
  const usage = { input: 0, output: 0 }
  let open = 0
  let mostOpen = 0
  const server = createServer((incoming, response) => {
    let body = ''
    incoming.on('data', chunk => {
      body += chunk
    })
    incoming.on('end', async () => {
      const request = JSON.parse(body) as ServedRequest
      const fault = options.fault?.(requests.length, request)
      requests.push(request)
      mostOpen = Math.max(mostOpen, ++open)
      response.on('close', () => open--)
      if (options.delay) await new Promise(resolve => setTimeout(resolve, options.delay))
      if (fault === '429') return fail(response, 429, { 'retry-after-ms': options.retryAfterMs ?? '5' })
      if (fault === '500' || fault === '401' || fault === '400') return fail(response, Number(fault))
      if (fault === 'silence') return
      if (fault === 'garbage') return response.writeHead(200, { 'content-type': 'text/html' }).end('<html>hello</html>')
      const text = options.reply(request)
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const send = (value: object) => response.write(`data: ${JSON.stringify(value)}\n\n`)
      const delta = (content: string) =>
        send({ id: 'x', choices: [{ index: 0, delta: { content }, finish_reason: null }] })
      delta(text.slice(0, Math.ceil(text.length / 2)))
      if (fault === 'half, then cut') return setTimeout(() => response.destroy(), 5)
      if (fault === 'half, then end') return response.end()
      if (fault === 'error event') {
        send({ error: { message: 'the model is gone', type: 'server_error' } })
        return response.end()
      }
      delta(text.slice(Math.ceil(text.length / 2)))
      const finish_reason = options.truncated?.(request) ? 'length' : 'stop'
      send({ id: 'x', choices: [{ index: 0, delta: {}, finish_reason }] })
      const input = request.messages.reduce((sum, { content }) => sum + tokensOf(content), 0)
      const output = tokensOf(text)
      if (options.usage !== false)
        send({
          id: 'x',
          choices: [],
          usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
        })
      const key = JSON.stringify(request.messages)
      response.end('data: [DONE]\n\n', () => {
        answered.set(key, (answered.get(key) ?? 0) + 1)
        usage.input += input
        usage.output += output
      })
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    answered,
    usage,
    get mostOpen() {
      return mostOpen
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

function fail(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify({ error: { message: `refused with ${status}`, type: 'error' } }))
}
