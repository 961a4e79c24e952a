/** What happens to requests when the computation fails, ends, or is told to stop. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { RewardModel } from '../rewards/index.js'
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

it('scores whose clients are gone before they are read are not read', async () => {
  const reads = vi.spyOn(RewardModel.prototype, 'readAll')
  const body = { prompt: 'the cat', response: 'sat on the mat' }
  const [gone, stays] = [new AbortController(), new AbortController()]
  const prompt = Int32Array.of(5, 6)
  const asked = [gone, gone, stays].map(({ signal }, i) =>
    tiny.client.score({ prompt, response: Int32Array.of(7 + i) }, signal),
  )
  gone.abort()
  const answers = await Promise.allSettled(asked)
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled'])
  expect(reads.mock.calls.flatMap(([, responses]) => responses)).toEqual([Int32Array.of(9)])
  // The route passes its client's signal on.
  const { status } = await tiny.post('/v1/score', body, { signal: AbortSignal.abort() }).catch(() => ({ status: 0 }))
  expect(status).not.toBe(200)
  expect(reads).toHaveBeenCalledTimes(1)
  expect([tiny.admission.used, tiny.logged]).toEqual([0, []])
  reads.mockRestore()
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
