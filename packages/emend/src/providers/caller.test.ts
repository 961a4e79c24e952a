import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { CallError } from './call-error.js'
import { CallStore } from './call-store.js'
import { Caller, type CallerOptions } from './caller.js'
import { ask, type ChatMessage, type ChatModel } from './chat-model.js'
import { type ChatServerOptions, chatServer, type Fault } from './chat-server.fixture.js'
import { remoteModel } from './remote.js'
import { scriptedModel } from './scripted.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-calls-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let server: Awaited<ReturnType<typeof chatServer>>
afterEach(() => server?.close())

const say = (content: string): ChatMessage[] => [{ role: 'user', content }]
const remote = () => remoteModel({ provider: 'openai-compatible', model: 'm', baseUrl: server.url, apiKey: 'key' })
async function caller(serve: Partial<ChatServerOptions>, options: CallerOptions = {}) {
  server = await chatServer({ reply: ({ messages }) => `you said ${messages.at(-1)!.content}`, ...serve })
  return new Caller(await remote(), { backoff: 1, timeout: 30_000, ...options })
}

describe('one call', () => {
  it('answers in full, with finish and usage', async () => {
    const model = await caller({ truncated: () => true })
    expect(model.name).toBe('openai-compatible:m')
    expect(await ask(model, say('two words'), { maxTokens: 9, temperature: 0 })).toEqual({
      text: 'you said two words',
      finish: 'length',
      usage: { input: 2, output: 4 },
    })
    expect(server.requests[0]).toMatchObject({ model: 'm', max_tokens: 9, temperature: 0, messages: say('two words') })
  })

  const faults: [Fault, string][] = [
    ['429', 'rate limit'],
    ['500', 'server error'],
    ['silence', 'timeout'],
    ['garbage', 'broken'],
    ['half, then cut', 'broken'],
    ['half, then end', 'broken'],
    ['error event', 'broken'],
  ]
  it.each(faults)('%s is tried again, and counted as %s', async (fault, kind) => {
    const model = await caller(
      { fault: n => (n < 2 ? fault : undefined) },
      fault === 'silence' ? { timeout: 1000 } : {},
    )
    expect((await ask(model, say('x'))).text).toBe('you said x')
    const { failures, attempts, answered, given_up } = model.summary()
    expect([attempts, answered, given_up]).toEqual([3, 1, 0])
    expect(Object.entries(failures).map(([name, { n }]) => [name, n])).toEqual([[kind, 2]])
  })

  it.each(['400', '401'] as const)('%s is not tried again', async fault => {
    const model = await caller({ fault: () => fault })
    await expect(ask(model, say('x'))).rejects.toThrow(`openai-compatible:m: refused with ${fault} (status ${fault})`)
    expect(server.requests).toHaveLength(1)
    expect(model.summary()).toMatchObject({ attempts: 1, answered: 0, given_up: 1 })
  })

  it('gives up after the retries, and says so', async () => {
    const model = await caller({ fault: () => '500' }, { retries: 2 })
    await expect(ask(model, say('x'))).rejects.toMatchObject({ failure: 'server error' })
    expect(server.requests).toHaveLength(3)
    expect(model.summary().failures['server error']).toEqual({
      n: 3,
      first: 'openai-compatible:m: refused with 500 (status 500)',
    })
  })

  it('an address where nobody listens costs nothing', async () => {
    const model = await caller({}, { retries: 0, prices: { input: 1, output: 1 } })
    server.close()
    await expect(ask(model, say('x'))).rejects.toMatchObject({ failure: 'network', charged: false })
    expect(model.summary().spent).toBe(0)
  })
})

describe('the store of calls', () => {
  it('answers the same call once, at the same time and later, and no other one', async () => {
    const path = join(folder, 'same.db')
    {
      using store = new CallStore(path)
      const model = await caller({}, { store })
      const twice = await Promise.all([ask(model, say('x')), ask(model, say('x'))])
      expect(twice.map(({ text }) => text)).toEqual(['you said x', 'you said x'])
      expect(server.requests).toHaveLength(1)
    }
    using store = new CallStore(path)
    const again = new Caller(await remote(), { store })
    expect(again.has(say('x'))).toBe(true)
    expect(await ask(again, say('x'))).toMatchObject({ text: 'you said x', finish: 'stop', cached: true })
    expect(again.has(say('x'), { seed: 1 })).toBe(false)
    for (const options of [{ seed: 1 }, { temperature: 0 }, { maxTokens: 5 }, { prefill: 'so' }])
      await ask(again, say('x'), options)
    expect(server.requests).toHaveLength(5)
    expect(again.summary()).toMatchObject({ cached: 1, answered: 4 })
  })

  it('gives every answer back as it was at first', async () => {
    const texts = ['', '\0a\0', 'a\ud800b', '😀\r\n\u2028', 'x'.repeat(1_000_000)]
    using store = new CallStore(join(folder, 'odd.db'))
    const model = new Caller(
      scriptedModel('odd', ([turn]) => texts[Number(turn!.content)]!),
      { store },
    )
    for (const [i] of texts.entries()) {
      const first = await ask(model, say(String(i)))
      expect(await ask(model, say(String(i)))).toEqual({ ...first, cached: true })
    }
    expect((await ask(model, say('1'))).text).toBe('\0a\0')
  })

  it('keeps models of one name at two addresses apart', async () => {
    using store = new CallStore(join(folder, 'two.db'))
    const first = await caller({ reply: () => 'first' }, { store })
    await ask(first, say('x'))
    server.close()
    const second = await caller({ reply: () => 'second' }, { store })
    expect((await ask(second, say('x'))).text).toBe('second')
  })

  it('is one process’s at a time', () => {
    const path = join(folder, 'lock.db')
    using first = new CallStore(path)
    expect(first.spending()).toEqual({ spent: 0, open: 0 })
    expect(() => new CallStore(path)).toThrow('lock.db: cannot be used for calls: another process makes calls with it')
  })

  it.each([
    ['a folder', (path: string) => mkdirSync(path), 'it cannot be opened; is it a folder, or not yours?'],
    ['a text', (path: string) => writeFileSync(path, 'hello '.repeat(1000)), 'no SQLite file; name another'],
  ])('refuses %s', (name, make, why) => {
    const path = join(folder, name)
    make(path)
    expect(() => new CallStore(path)).toThrow(`${path}: cannot be used for calls: ${why}`)
  })

  it('refuses a file of something else', async () => {
    const { Store } = await import('../data/store/index.js')
    const path = join(folder, 'other.db')
    await (await Store.open(path)).close()
    expect(() => new CallStore(path)).toThrow(`${path}: cannot be used for calls: an SQLite file of something else`)
  })
})

describe('money', () => {
  // Dollars for a million tokens, so that a token costs a ten-thousandth and a cent buys a hundred.
  const prices = { input: 100, output: 100 }

  it('is what the provider counted', async () => {
    const model = await caller({}, { prices, maxTokens: 50 })
    await ask(model, say('one two three'))
    // 3 tokens in, 'you said one two three' 5 tokens out
    expect(model.summary().spent).toBeCloseTo(8e-4, 12)
  })

  it('counts at its worst what may have been charged, and not what was refused', async () => {
    const model = await caller({ fault: n => (['half, then cut', '429'] as const)[n] }, { prices, maxTokens: 50 })
    await ask(model, say('abc'))
    // Worst of the half answer: 3 bytes + 16 around the turn + 64 around all, and 50 out: 133 tokens. Then 1 in, 3 out.
    expect(model.summary().spent).toBeCloseTo((133 + 4) * 1e-4, 12)
  })

  it('counts at its worst an answer without usage', async () => {
    const model = await caller({ usage: false }, { prices, maxTokens: 50 })
    await ask(model, say('abc'))
    expect(model.summary()).toMatchObject({ spent: expect.closeTo(133e-4, 12), usage_unknown: 1 })
  })

  it('is set aside before a call, so that many at once never pass the cap, and what is freed is used', async () => {
    using store = new CallStore(join(folder, 'cap.db'))
    // Room for three worst calls of 133 tokens at once; each costs 1 + 3 in the end.
    const cap = 400e-4
    const model = await caller({ delay: 20 }, { store, prices, maxTokens: 50, cap, concurrency: 10 })
    const asked = await Promise.allSettled(
      Array.from({ length: 200 }, (_, i) => ask(model, say(`a${i + 100}`.slice(-3)))),
    )
    expect(server.mostOpen).toBe(3)
    const done = asked.filter(({ status }) => status === 'fulfilled').length
    // The last call needs 133 free: (400 − 133) / 4 = 66.75, so 67 calls are made.
    expect(done).toBe(67)
    expect(server.requests).toHaveLength(67)
    expect(model.summary().spent).toBeCloseTo(67 * 4e-4, 12)
    expect(model.summary().failures['spending cap']!.n).toBe(133)
    const refused = asked.find(result => result.status === 'rejected')
    expect(String(refused!.reason)).toMatch(
      /spending cap of 0\.04 leaves no room: 0\.0268 is spent .* may cost 0\.0133/,
    )
  })

  it('holds the cap whatever happens to the calls, in any order', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('answer', 'answer without usage', 'charged', 'free'), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 100, max: 3000 }),
        fc.integer({ min: 1, max: 5 }),
        async (fates, capTokens, concurrency) => {
          let asked = 0
          let charged = 0
          const answered: string[] = []
          const model: ChatModel = {
            name: 'm',
            async *chat([turn], o) {
              const n = asked++
              expect(caller.summary().spent).toBeLessThanOrEqual(cap + 1e-12)
              await new Promise(setImmediate)
              const fate = fates[n % fates.length]!
              // As much as can be: 3 bytes and what stands around them, and every token that was allowed.
              if (fate !== 'free') charged += fate === 'answer' ? (n % 50) + 11 : 133
              if (!fate.startsWith('answer'))
                throw new CallError('server error', 'm: no', { charged: fate === 'charged', retryAfter: 1 })
              answered.push(turn!.content)
              yield 'yes'
              o?.onEnd?.({ finish: 'stop', ...(fate === 'answer' && { usage: { input: 10, output: (n % 50) + 1 } }) })
            },
          }
          const cap = capTokens * 1e-4
          const caller = new Caller(model, { prices, cap, maxTokens: 50, concurrency, retries: 2 })
          const ends = await Promise.allSettled(Array.from({ length: 30 }, (_, i) => ask(caller, say(String(100 + i)))))
          const { spent, open } = caller.summary()
          expect(new Set(answered).size).toBe(answered.length)
          expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(answered.length)
          expect(spent).toBeCloseTo(charged * 1e-4, 12)
          expect(spent).toBeLessThanOrEqual(cap + 1e-12)
          expect(open).toBe(0)
        },
      ),
      { numRuns: 25 },
    ))

  it('of a process that died in the middle of a call stays counted at its worst', () => {
    const path = join(folder, 'died.db')
    {
      using store = new CallStore(path)
      store.reserve('some call', 1000, Number.POSITIVE_INFINITY)
    }
    using store = new CallStore(path)
    expect(store.spending()).toEqual({ spent: 1000, open: 1 })
    expect(store.reserve('another', 600, 1500)).toBeUndefined()
    expect(store.reserve('another', 500, 1500)).toBe(2)
  })

  it.each([
    [{ input: -1_000_000, output: 5 }],
    [{ input: 1e12, output: 5 }],
    [{ input: 2.5, output: 5 }],
    [{ input: 0, output: 5 }],
    [{ input: 5, output: 0 }],
  ])('counts at its worst an answer whose usage cannot be: %j', async usage => {
    const told: ChatModel = {
      name: 'odd',
      async *chat(_, o) {
        yield 'yes'
        o?.onEnd?.({ finish: 'stop', usage })
      },
    }
    const model = new Caller(told, { prices, maxTokens: 50 })
    await ask(model, say('abc'))
    expect(model.summary()).toMatchObject({ spent: expect.closeTo(133e-4, 12), usage_unknown: 1 })
  })

  it('sets more aside once a provider counts more than could be known', async () => {
    // It puts 500 tokens before each chat and writes 20 more than allowed: 583 + 70 tokens a call, where 133 were set aside.
    const greedy: ChatModel = {
      name: 'greedy',
      async *chat(_, o) {
        yield 'yes'
        o?.onEnd?.({ finish: 'stop', usage: { input: 583, output: 70 } })
      },
    }
    const model = new Caller(greedy, { prices, maxTokens: 50, cap: 1400e-4 })
    await ask(model, say('abc'))
    await ask(model, say('abd'))
    // 94 are left of 1,400: room for what was set aside at first, and none for 653.
    await expect(ask(model, say('abe'))).rejects.toThrow(/0\.1306 is spent .* may cost 0\.0653/)
    expect(model.summary().spent).toBeCloseTo(2 * 653e-4, 12)
  })

  it('is synced, kept and counted over processes that were killed, and locked while one lives', async () => {
    const path = join(folder, 'killed.db')
    const module = new URL('../../dist/providers/call-store.js', import.meta.url).href
    const holding = `const { CallStore } = await import(${JSON.stringify(module)})
      const store = new CallStore(${JSON.stringify(path)})
      const request = { model: 'm', messages: [], maxTokens: 1 }
      store.answered(store.reserve('paid', 70, Infinity), 'paid', request, { text: 'yes', finish: 'stop' }, 40)
      store.failed(store.reserve('lost', 9, Infinity), 'timeout', true)
      store.reserve('under way', 1000, Infinity)
      console.log('there')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', holding], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    expect(() => new CallStore(path)).toThrow(`${path}: cannot be used for calls: another process makes calls with it`)
    child.kill('SIGKILL')
    await once(child, 'close')
    using store = new CallStore(path)
    expect(store.spending()).toEqual({ spent: 40 + 9 + 1000, open: 1 })
    expect(store.find('paid')).toEqual({ text: 'yes', finish: 'stop' })
    expect([store.find('lost'), store.find('under way')]).toEqual([undefined, undefined])
  })

  it('a cap without prices is refused', () => {
    expect(
      () =>
        new Caller(
          scriptedModel('s', () => ''),
          { cap: 1 },
        ),
    ).toThrow('needs prices')
  })
})

it('holds the concurrency', async () => {
  const model = await caller({ delay: 10 }, { concurrency: 3 })
  await Promise.all(Array.from({ length: 20 }, (_, i) => ask(model, say(String(i)))))
  expect(server.mostOpen).toBe(3)
})

it('a rate limit holds the other calls back as well', async () => {
  const model = await caller({ fault: n => (n === 0 ? '429' : undefined) }, { concurrency: 1, requestsPerMinute: 6000 })
  const began = Date.now()
  await Promise.all(Array.from({ length: 11 }, (_, i) => ask(model, say(String(i)))))
  // Twelve requests 10 ms apart.
  expect(Date.now() - began).toBeGreaterThanOrEqual(105)
})

it('waits as long as it is asked to, and gives up where that is too long', async () => {
  const after = (ms: string) => caller({ fault: n => (n === 0 ? '429' : undefined), retryAfterMs: ms })
  const began = performance.now()
  expect((await ask(await after('150'), say('x'))).text).toBe('you said x')
  expect(performance.now() - began).toBeGreaterThanOrEqual(149)
  server.close()
  const model = await after('3600000')
  await expect(ask(model, say('x'))).rejects.toMatchObject({
    ...{ failure: 'rate limit', retryAfter: 3_600_000, charged: false },
    message:
      'openai-compatible:m: refused with 429 (status 429); it asks to be left alone for 1h00m, and no call waits longer than 10m00s: run it again then',
  })
  expect(server.requests).toHaveLength(1)
})

it('once it is to stop, what is under way is answered, and nothing else is asked', async () => {
  const stop = new AbortController()
  const model = await caller(
    { delay: 1000, fault: n => (n === 1 ? '500' : undefined) },
    { concurrency: 2, stop: stop.signal, backoff: 60_000, requestsPerMinute: 60_000 },
  )
  const asked = ['under way', 'failed, and waiting', 'not begun'].map(text => ask(model, say(text)))
  while (server.requests.length < 2) await sleep(5)
  stop.abort()
  const ended = await Promise.allSettled(asked)
  expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
  for (const end of ended.slice(1))
    expect(end).toMatchObject({
      reason: { failure: 'stopped', charged: false, message: expect.stringContaining('before it was asked') },
    })
  expect(server.requests).toHaveLength(2)
  expect(model.summary()).toMatchObject({ answered: 1, attempts: 2, given_up: 2, spent: 0, open: 0 })
})

it('names the settings that a provider does not take', async () => {
  const deaf: ChatModel = {
    name: 'deaf',
    async *chat(_, o) {
      yield 'yes'
      o?.onEnd?.({ finish: 'stop', ignored: ['seed'] })
    },
  }
  const model = new Caller(deaf)
  await ask(model, say('x'), { seed: 1 })
  await ask(model, say('y'), { seed: 1 })
  expect(model.summary().ignored).toEqual(['seed'])
})

it('is stopped by a signal, and what was under way counts as charged', async () => {
  const model = await caller({ fault: () => 'silence' }, { prices: { input: 1, output: 1 }, timeout: 60_000 })
  const stop = new AbortController()
  const asked = ask(model, say('x'), { signal: stop.signal })
  await sleep(50)
  stop.abort()
  await expect(asked).rejects.toMatchObject({ failure: 'stopped' })
  expect(model.summary().spent).toBeGreaterThan(0)
})

it('stopped for one who asked, the same call goes on for others', async () => {
  const first = new AbortController()
  const model = await caller({ fault: n => (n === 0 ? 'silence' : undefined) })
  const asked = [first.signal, undefined, new AbortController().signal, first.signal].map(signal =>
    ask(model, say('x'), { ...(signal && { signal }) }),
  )
  while (server.requests.length < 1) await sleep(5)
  first.abort()
  const ends = await Promise.allSettled(asked)
  expect(ends.map(end => (end.status === 'fulfilled' ? end.value.text : end.reason.failure))).toEqual([
    ...['stopped', 'you said x', 'you said x', 'stopped'],
  ])
  expect(server.requests).toHaveLength(2)
  expect(model.summary()).toMatchObject({ answered: 1, cached: 1, given_up: 1 })
})
