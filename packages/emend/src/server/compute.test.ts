/** What happens to requests when the computation fails, ends, or is told to stop. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { tinyApp } from './tiny-app.fixture.js'
import { type TinyFolders, tinyFolders } from './tiny-model.fixture.js'

let folders: TinyFolders
let tiny: Awaited<ReturnType<typeof tinyApp>>
beforeAll(async () => {
  folders = await tinyFolders()
  tiny = await tinyApp({ folder: folders.model, reward: folders.reward, maxRows: 2 })
})
afterAll(() => {
  tiny.close()
  folders.remove()
})

interface ErrorBody {
  error: { message: string; type: string; code: string }
}
interface Completion {
  choices: { text: string }[]
}

const PATH = '/v1/completions'
const once = { model: 'tiny', prompt: 'the cat', max_tokens: 30, seed: 3, temperature: 0 }

it('a step that fails fails those who take part, whole or streaming, and nobody after them', async () => {
  const { body: before } = await tiny.post<Completion>(PATH, once)
  const logits = vi.spyOn(tiny.model.decoder, 'logits').mockImplementation(() => {
    throw new Error('no memory')
  })
  const [whole, streamed] = await Promise.all([
    tiny.post<ErrorBody>(PATH, once),
    tiny.post<string>(PATH, { ...once, stream: true }),
  ])
  logits.mockRestore()
  expect(whole.status).toBe(500)
  expect(whole.body.error).toMatchObject({ type: 'server_error', code: 'compute_failed' })
  expect(whole.body.error.message).toContain('no memory')
  const events = streamed.body.split('\n\n').filter(line => line !== '')
  expect(JSON.parse(events.at(-1)!.slice(6))).toMatchObject({ error: { code: 'compute_failed' } })
  expect((await tiny.post<Completion>(PATH, once)).body.choices).toEqual(before.choices)
  expect(tiny.admission.used).toBe(0)
})

it('more samples than rows wait for each other', async () => {
  const { body } = await tiny.post<Completion>(PATH, { ...once, temperature: 1, n: 7 })
  expect(new Set(body.choices.map(({ text }) => text)).size).toBe(7)
})

it('a request that was given up before it began is not computed', async () => {
  const steps = vi.spyOn(tiny.model.decoder, 'logits')
  const answer = tiny.post(PATH, once, { signal: AbortSignal.abort() })
  await answer.catch(() => {})
  expect(steps.mock.calls.length).toBeLessThan(3)
  steps.mockRestore()
})

it('when the computing side ends, whoever waits and whoever comes is told', async () => {
  const own = await tinyApp({ folder: folders.model })
  const waiting = own.post<ErrorBody>(PATH, { ...once, max_tokens: 200 })
  await new Promise(resolve => setTimeout(resolve, 20))
  own.client.end('the computing thread is gone: out of memory')
  for (const { status, body } of [await waiting, await own.post<ErrorBody>(PATH, once)])
    expect([status, body.error.code, body.error.message]).toEqual([
      503,
      'unavailable',
      expect.stringContaining('out of memory'),
    ])
  expect((await own.request('/healthz')).status).toBe(503)
})
