/** Each API's wire format, from its documentation, against a local server; and servers that speak none. */
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type ApiRequest, apiServer, awsFrame, sendEvents } from './api-server.fixture.js'
import { ask, type ChatMessage } from './chat-model.js'
import { type Provider, remoteModel } from './remote.js'

const KEY = 'sk-test-0123456789abcdef'
const messages: ChatMessage[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Where is it?' },
]
const how = { maxTokens: 40, temperature: 0, seed: 7 }

let server: Awaited<ReturnType<typeof apiServer>>
beforeEach(() => {
  // The machine's own settings are none of these tests'.
  for (const name of ['OPENAI', 'ANTHROPIC']) vi.stubEnv(`${name}_API_KEY`, '').stubEnv(`${name}_BASE_URL`, '')
})
afterEach(() => {
  vi.unstubAllEnvs()
  server?.close()
})
const serve = async (answer: (response: ServerResponse, request: ApiRequest) => unknown) => {
  server = await apiServer(answer)
}
const model = (provider: Provider = 'openai-compatible', apiKey: string | undefined = KEY, path = '/v1') =>
  remoteModel({ provider, model: 'm-1', baseUrl: server.url + path, ...(apiKey && { apiKey }) })

const delta = (content: string, finish: string | null = null) => ({
  ...{ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm-1' },
  choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason: finish }],
})
const usage = { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 }
const openAi = [delta('It is '), delta('here.', 'stop'), { ...delta(''), choices: [], usage }, '[DONE]']

const anthropic = (stop_reason: string) => [
  {
    type: 'message_start',
    message: {
      ...{ id: 'msg', type: 'message', role: 'assistant', model: 'm-1', content: [] },
      ...{ stop_reason: null, stop_sequence: null, usage: { input_tokens: 12, output_tokens: 1 } },
    },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'ping' },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'It is ' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'here.' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 5 } },
  { type: 'message_stop' },
]

const sendBedrock = (response: ServerResponse, frames: readonly [string, object][]) => {
  response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' })
  response.end(Buffer.concat(frames.map(([event, payload]) => awsFrame(event, payload))))
}
const bedrock: [string, object][] = [
  ['messageStart', { role: 'assistant' }],
  ['contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'It is ' } }],
  ['contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'here.' } }],
  ['contentBlockStop', { contentBlockIndex: 0 }],
  ['messageStop', { stopReason: 'end_turn' }],
  ['metadata', { usage: { inputTokens: 12, outputTokens: 5, totalTokens: 17 }, metrics: { latencyMs: 1 } }],
]

const answer = { text: 'It is here.', finish: 'stop', usage: { input: 12, output: 5 } }

describe('a chat', () => {
  it('of OpenAI', async () => {
    await serve(response => sendEvents(response, openAi))
    expect(await ask(await model('openai'), messages, how)).toEqual(answer)
    const [{ path, headers, body }] = server.requests as [ApiRequest]
    expect([path, headers.authorization]).toEqual(['/v1/chat/completions', `Bearer ${KEY}`])
    expect(body).toMatchObject({
      ...{ model: 'm-1', messages, max_tokens: 40, temperature: 0, seed: 7 },
      ...{ stream: true, stream_options: { include_usage: true } },
    })
  })

  it('of Anthropic, which takes no seed', async () => {
    await serve(response => sendEvents(response, anthropic('end_turn'), true))
    expect(await ask(await model('anthropic'), messages, how)).toEqual({ ...answer, ignored: ['seed'] })
    const [{ path, headers, body }] = server.requests as [ApiRequest]
    expect([path, headers['x-api-key']]).toEqual(['/v1/messages', KEY])
    expect(headers['anthropic-version']).toBe('2023-06-01')
    expect(body).toMatchObject({
      ...{ model: 'm-1', max_tokens: 40, temperature: 0, stream: true },
      system: [{ type: 'text', text: 'Be brief.' }],
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Where is it?' }] }],
    })
  })

  it('of Bedrock, which takes no seed', async () => {
    await serve(response => sendBedrock(response, bedrock))
    expect(await ask(await model('bedrock', KEY, ''), messages, how)).toEqual({ ...answer, ignored: ['seed'] })
    const [{ path, headers, body }] = server.requests as [ApiRequest]
    expect([path, headers.authorization]).toEqual(['/model/m-1/converse-stream', `Bearer ${KEY}`])
    expect(body).toMatchObject({
      inferenceConfig: { maxTokens: 40, temperature: 0 },
      system: [{ text: 'Be brief.' }],
      messages: [{ role: 'user', content: [{ text: 'Where is it?' }] }],
    })
  })

  it('of Bedrock without a key is signed by AWS’s', async () => {
    const secret = 'wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY'
    vi.stubEnv('AWS_REGION', 'eu-west-1').stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', secret).stubEnv('AWS_BEARER_TOKEN_BEDROCK', '').stubEnv('AWS_SESSION_TOKEN', '')
    await serve(response => sendBedrock(response, bedrock))
    expect((await ask(await model('bedrock', '', ''), messages)).text).toBe('It is here.')
    expect(server.requests[0]!.headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/bedrock\/aws4_request/,
    )
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', '')
    await expect(ask(await model('bedrock', '', ''), messages)).rejects.toMatchObject({
      ...{ failure: 'denied', charged: false, message: expect.stringContaining('AWS_SECRET_ACCESS_KEY') },
    })
  })

  it('goes where the environment says, with its key', async () => {
    await serve(response => sendEvents(response, openAi))
    vi.stubEnv('OPENAI_BASE_URL', `${server.url}/elsewhere/`).stubEnv('OPENAI_API_KEY', ` ${KEY}\n`)
    const chat = await remoteModel({ provider: 'openai', model: 'm-1' })
    expect(chat.identity).toBe(`openai:m-1@${server.url}/elsewhere`)
    await ask(chat, messages)
    expect(server.requests[0]).toMatchObject({ path: '/elsewhere/chat/completions' })
    expect(server.requests[0]!.headers.authorization).toBe(`Bearer ${KEY}`)
  })

  it.each([
    ['openai', 'OPENAI_API_KEY'],
    ['anthropic', 'ANTHROPIC_API_KEY'],
  ] as const)('of %s without a key costs nothing and names the variable', async (provider, variable) => {
    const chat = await remoteModel({ provider, model: 'm' })
    await expect(ask(chat, messages)).rejects.toMatchObject({
      ...{ failure: 'denied', charged: false, message: expect.stringContaining(variable) },
    })
  })
})

describe('an answer that ends', () => {
  it.each([
    ['openai', (r: ServerResponse) => sendEvents(r, [delta('It', 'length'), { ...delta(''), choices: [], usage }])],
    ['anthropic', (r: ServerResponse) => sendEvents(r, anthropic('max_tokens'), true)],
    [
      'bedrock',
      (r: ServerResponse) =>
        sendBedrock(
          r,
          bedrock.map(([event, x]) => [event, event === 'messageStop' ? { stopReason: 'max_tokens' } : x]),
        ),
    ],
  ] as const)('by its length, at %s', async (provider, send) => {
    await serve(send)
    expect((await ask(await model(provider, KEY, provider === 'bedrock' ? '' : '/v1'), messages)).finish).toBe('length')
  })

  it.each([
    ['openai-compatible', (r: ServerResponse) => sendEvents(r, openAi.slice(0, 1))],
    ['openai', (r: ServerResponse) => sendEvents(r, openAi.slice(0, 1))],
    ['anthropic', (r: ServerResponse) => sendEvents(r, anthropic('end_turn').slice(0, 4), true)],
    ['bedrock', (r: ServerResponse) => sendBedrock(r, bedrock.slice(0, 2))],
  ] as const)('in its middle, at %s, is broken', async (provider, send) => {
    await serve(send)
    const chat = await model(provider, KEY, provider === 'bedrock' ? '' : '/v1')
    await expect(ask(chat, messages)).rejects.toMatchObject({ failure: 'broken', charged: true })
  })

  it('by a filter says so', async () => {
    await serve(response => sendEvents(response, [delta('It is', 'content_filter')]))
    expect(await ask(await model(), messages)).toEqual({ text: 'It is', finish: 'filtered' })
  })
})

describe('an answer that is none', () => {
  const failing = async (send: (response: ServerResponse, request: ApiRequest) => unknown) => {
    await serve(send)
    return expect(ask(await model(), messages, how)).rejects
  }

  it('a redirect is not followed, and the key goes nowhere', async () => {
    const other = await apiServer(response => sendEvents(response, openAi))
    try {
      for (const status of [301, 302, 307, 308])
        await (await failing(r => r.writeHead(status, { location: `${other.url}/login?next=secret` }).end())).toThrow(
          `openai-compatible:m-1: redirected to ${other.url}/login (status ${status})`,
        )
      await (await failing(r => r.writeHead(302).end())).toMatchObject({ failure: 'denied', charged: false })
      expect(other.requests).toEqual([])
    } finally {
      other.close()
    }
  })

  it.each(['text/html; charset=utf-8', 'application/json'])('%s is no stream of events', async type => {
    await (await failing(r => r.writeHead(200, { 'content-type': type }).end('<html>{}</html>'))).toMatchObject({
      failure: 'broken',
      message: `openai-compatible:m-1: answered with ${type} where a stream of events was asked for; is it the address of the API?`,
    })
  })

  it.each([
    ['broken', true, { error: { message: `no ${KEY} here`, type: 'x', code: 'overloaded' } }, 'no [key] here'],
    ['broken', true, { error: 'model not loaded' }, 'model not loaded'],
    ['rate limit', false, { error: { message: 'slow down', code: 429 } }, 'slow down (status 429)'],
    ['server error', true, { error: { message: 'no provider', code: '502' } }, 'no provider (status 502)'],
  ] as const)('with status 200 an error is the provider’s: %s', async (failure, charged, body, message) => {
    await (
      await failing(r => r.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)))
    ).toMatchObject({ failure, charged, message: `openai-compatible:m-1: ${message}` })
  })

  it('JSON without end is left', async () => {
    await (
      await failing(r => {
        r.writeHead(200, { 'content-type': 'application/json' })
        const more = () => {
          while (!r.destroyed && r.write(' '.repeat(50_000))) {}
          r.once('drain', more)
        }
        more()
      })
    ).toMatchObject({ failure: 'overlong', message: 'openai-compatible:m-1: the answer has more than 1 MiB' })
    await vi.waitFor(() => expect(server.gone).toBe(1), 5000)
  })

  it.each(['openai-compatible', 'openai'] as const)('several choices are not mixed into one: %s', async provider => {
    const choice = (index: number, content: string) => ({ index, delta: { content }, finish_reason: null })
    for (const events of [
      [
        { ...delta(''), choices: [choice(0, 'It is ')] },
        { ...delta(''), choices: [choice(1, 'Look ')] },
      ],
      [{ ...delta(''), choices: [choice(0, 'It is '), choice(1, 'Look ')] }],
    ]) {
      server?.close()
      await serve(r => sendEvents(r, [...events, ...openAi.slice(1)]))
      await expect(ask(await model(provider), messages, how)).rejects.toMatchObject({
        ...{ failure: 'broken', charged: true },
        message: `${provider}:m-1: the answer holds several choices, where one was asked for`,
      })
    }
  })

  it.each([
    ['nothing', ''],
    ['words', 'hello\n\nhello\n\n'],
    ['events that are no JSON', 'data: {"choices":\n\n'],
    ['events of another kind', 'data: {"hello": 1}\n\n'],
    ['no UTF-8', Buffer.from([0xff, 0xfe, 0x00, 0xd8])],
  ])('%s', async (_, body) => {
    await (await failing(r => r.writeHead(200, { 'content-type': 'text/event-stream' }).end(body))).toMatchObject({
      failure: 'broken',
      charged: true,
    })
  })

  it('ten megabytes are refused, and not read to their end', async () => {
    await (
      await failing(r => {
        r.writeHead(200, { 'content-type': 'text/event-stream' })
        for (let i = 0; i < 100; i++) r.write(`data: ${JSON.stringify(delta('x'.repeat(100_000)))}\n\n`)
        r.end()
      })
    ).toMatchObject({
      failure: 'overlong',
      retryable: false,
      message: 'openai-compatible:m-1: the answer is far longer than the 40 tokens allowed',
    })
  })

  it.each([
    ['text', `data: ${JSON.stringify(delta('la '.repeat(100)))}\n\n`],
    ['nothing but comments', `: ${'wait '.repeat(10_000)}\n\n`],
    ['one event', 'data: '.padEnd(50_000, 'x')],
  ])(
    'an endless stream of %s is left',
    async (_, piece) => {
      await (
        await failing(r => {
          r.writeHead(200, { 'content-type': 'text/event-stream' })
          const more = () => {
            while (!r.destroyed && r.write(piece)) {}
            r.once('drain', more)
          }
          more()
        })
      ).toMatchObject({ failure: 'overlong' })
      await vi.waitFor(() => expect(server.gone).toBe(1), 5000)
    },
    60_000,
  )

  it('whoever leaves in the middle closes the connection', async () => {
    await serve(r => {
      r.writeHead(200, { 'content-type': 'text/event-stream' })
      r.write(`data: ${JSON.stringify(delta('so '))}\n\n`)
    })
    for await (const piece of (await model()).chat(messages)) {
      expect(piece).toBe('so ')
      break
    }
    await vi.waitFor(() => expect(server.gone).toBe(1), 5000)
  })
})

describe('a failure', () => {
  const failed = async (send: (response: ServerResponse, request: ApiRequest) => unknown) => {
    await serve(send)
    const chat = await model()
    return (await ask(chat, messages).catch((error: unknown) => error)) as Error & { failure: string }
  }
  const status = (code: number, message: string, headers: Record<string, string> = {}) =>
    failed(r =>
      r.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify({ error: { message } })),
    )

  it('never repeats the key, whatever the server says, in causes neither', async () => {
    const echoes = await failed((r, { headers }) =>
      r
        .writeHead(401, { 'content-type': 'application/json' })
        .end(JSON.stringify({ error: { message: `bad header ${headers.authorization}` } })),
    )
    expect(echoes.message).toBe('openai-compatible:m-1: bad header Bearer [key] (status 401)')
    const { cause } = echoes as { cause: Error }
    expect(JSON.stringify([echoes.stack, cause.stack, cause.message, { ...cause }])).not.toContain(KEY)
    const inStream = await failed((r, { headers }) =>
      sendEvents(r, [{ error: { message: `no: ${headers.authorization}`, type: 'x' } }]),
    )
    expect(inStream.message).toBe('openai-compatible:m-1: no: Bearer [key]')
    server.close()
    await serve(r => r.end())
    const broken = await ask(await model('openai-compatible', `${KEY}\u0001x`), messages).catch(error => error)
    expect(String(broken)).not.toContain(KEY)
  })

  it('of an answer that broke off says what broke it', async () => {
    await serve(response => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(`data: ${JSON.stringify(delta('It is '))}\n\n`)
      setTimeout(() => response.destroy(), 5)
    })
    await expect(ask(await model(), messages)).rejects.toThrow(
      /^openai-compatible:m-1: Failed to process [^:]+: [^:]+$/,
    )
  })

  it('is told in one line without control characters, and not at length', async () => {
    expect((await status(500, 'a\n\n\u001b[31mb\u0007')).message).toBe('openai-compatible:m-1: a [31mb (status 500)')
    expect((await status(500, 'x'.repeat(5_000_000))).message.length).toBeLessThan(500)
    const page = await failed(r => r.writeHead(502, { 'content-type': 'text/html' }).end('<html>'.repeat(200_000)))
    expect(page).toMatchObject({ failure: 'server error', message: 'openai-compatible:m-1: Bad Gateway (status 502)' })
  })

  it.each([
    [400, 'refused'],
    [401, 'denied'],
    [402, 'denied'],
    [403, 'denied'],
    [404, 'denied'],
    [408, 'server error'],
    [413, 'refused'],
    [429, 'rate limit'],
    [529, 'server error'],
  ])('with status %i is %s and costs nothing', async (code, failure) =>
    expect(await status(code, 'no')).toMatchObject({ failure, charged: false }),
  )

  it.each([502, 504, 524])('of a gateway may be charged: status %i', async code =>
    expect(await status(code, 'no')).toMatchObject({ failure: 'server error', charged: true }),
  )

  it('says how long to wait, in milliseconds', async () => {
    expect(await status(429, 'no', { 'retry-after': '3' })).toMatchObject({ retryAfter: 3000 })
    expect(await status(503, 'no', { 'retry-after-ms': '250', 'retry-after': '3' })).toMatchObject({ retryAfter: 250 })
    const date = new Date(Date.now() + 60_000).toUTCString()
    const { retryAfter } = (await status(429, 'no', { 'retry-after': date })) as unknown as { retryAfter: number }
    // A date has no milliseconds.
    expect(retryAfter).toBeGreaterThan(50_000)
    expect(retryAfter).toBeLessThanOrEqual(60_000)
    expect(await status(429, 'no', { 'retry-after': 'soon' })).toMatchObject({ retryAfter: undefined })
    expect(await status(429, 'no', { 'retry-after': '-5' })).toMatchObject({ retryAfter: 0 })
  })
})

describe('an address', () => {
  it.each(['nowhere', 'ftp://x/v1', 'file:///etc'])('%s is none', async baseUrl =>
    expect(remoteModel({ provider: 'openai', model: 'm', baseUrl })).rejects.toThrow('expected an address such as'),
  )

  it.each(['http://me:hunter2@x/v1', 'http://x/v1?key=hunter2', 'http://x/v1#hunter2'])(
    'with a secret is refused, and the secret not repeated: %s',
    async baseUrl => {
      const refused = await remoteModel({ provider: 'openai', model: 'm', baseUrl }).catch(String)
      expect(refused).toMatch(/expected an address without name, password, \? or #/)
      expect(refused).not.toContain('hunter2')
    },
  )

  it('is the same with a slash at its end', async () => {
    const at = async (baseUrl: string) => (await remoteModel({ provider: 'openai', model: 'm', baseUrl })).identity
    expect(await at('http://x:80/v1/')).toBe(await at('http://x/v1'))
  })
})
