import { afterEach, expect, it } from 'vitest'
import { bounded } from './bounded.js'
import type { CallError } from './call-error.js'
import { ask } from './chat-model.js'
import { chatServer, type Fault } from './chat-server.fixture.js'
import { remoteModel } from './remote.js'

let server: Awaited<ReturnType<typeof chatServer>>
afterEach(() => server.close())

/** What becomes of one call, and how often the server was asked. */
async function asked(faults: readonly (Fault | undefined)[], o: { timeout?: number; retryAfterMs?: string } = {}) {
  const { timeout = 60_000, ...more } = o
  server = await chatServer({ reply: () => 'SAFE', fault: n => faults[n], ...more })
  const model = await remoteModel({ provider: 'openai-compatible', model: 'm', baseUrl: server.url })
  const answer = await ask(bounded(model, timeout), [{ role: 'user', content: 'Hello there' }]).catch(
    (error: CallError) => error.failure,
  )
  return [typeof answer === 'string' ? answer : answer.text, server.requests.length]
}

it('tries a second time what may go well then, and no third time', async () => {
  expect(await asked(['429'])).toEqual(['SAFE', 2])
  server.close()
  // What came of the first half is not said twice.
  expect(await asked(['half, then cut'])).toEqual(['SAFE', 2])
  server.close()
  expect(await asked(['500', '500'])).toEqual(['server error', 2])
})

it('does not try again what stays as it is, nor waits long for its turn', async () => {
  expect(await asked(['401'])).toEqual(['denied', 1])
  server.close()
  expect(await asked(['429'], { retryAfterMs: '60000' })).toEqual(['rate limit', 1])
})

it('gives up a server that is silent, and passes on who it is and how the answer ended', async () => {
  expect(await asked(['silence'], { timeout: 50 })).toEqual(['timeout', 1])
  server.close()
  server = await chatServer({ reply: () => 'SAFE' })
  const model = await remoteModel({ provider: 'openai-compatible', model: 'm', baseUrl: server.url })
  const { name, identity } = bounded(model, 60_000)
  expect([name, identity]).toEqual(['openai-compatible:m', `openai-compatible:m@${server.url}`])
  const answer = await ask(bounded(model, 60_000), [{ role: 'user', content: 'Hello there' }])
  expect(answer).toEqual({ text: 'SAFE', finish: 'stop', usage: { input: 2, output: 1 } })
})
