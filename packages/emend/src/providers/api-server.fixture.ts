/** A local server for one kind of request, which it keeps: for the wire formats of APIs, and for what is none. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { crc32 } from 'node:zlib'

export interface ApiRequest {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Record<string, unknown>
}

export async function apiServer(answer: (response: ServerResponse, request: ApiRequest) => unknown) {
  const requests: ApiRequest[] = []
  let gone = 0
  const server = createServer((incoming, response) => {
    let body = ''
    incoming.on('data', chunk => {
      body += chunk
    })
    incoming.on('end', () => {
      const request = { path: incoming.url!, headers: incoming.headers, body: body === '' ? {} : JSON.parse(body) }
      requests.push(request)
      response.on('close', () => {
        if (!response.writableFinished) gone++
      })
      answer(response, request)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    /** Answers that whoever asked did not wait for. */
    get gone() {
      return gone
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** Server-sent events: `data` alone, or with the name of the event before it. */
export function sendEvents(response: ServerResponse, events: readonly (object | string)[], named = false): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const event of events) {
    if (named) response.write(`event: ${(event as { type: string }).type}\n`)
    response.write(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`)
  }
  response.end()
}

/** A frame of AWS's event stream: lengths, headers and payload, each part followed by its checksum. */
export function awsFrame(event: string, payload: object): Buffer {
  const header = (name: string, value: string) => {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(value.length)
    return Buffer.concat([Buffer.of(name.length), Buffer.from(name), Buffer.of(7), length, Buffer.from(value)])
  }
  const headers = Buffer.concat([
    header(':event-type', event),
    header(':content-type', 'application/json'),
    header(':message-type', 'event'),
  ])
  const body = Buffer.from(JSON.stringify(payload))
  const prelude = Buffer.alloc(8)
  prelude.writeUInt32BE(16 + headers.length + body.length, 0)
  prelude.writeUInt32BE(headers.length, 4)
  const checked = (bytes: Buffer) => {
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(crc32(bytes))
    return Buffer.concat([bytes, sum])
  }
  return checked(Buffer.concat([checked(prelude), headers, body]))
}
