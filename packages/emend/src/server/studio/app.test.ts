import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Store } from '../../data/store/index.js'
import { createStudioApp } from './app.js'
import { Page } from './page.js'
import { SHOWN_LENGTH } from './shown-item.js'

let folder: string
let store: Store
let logged: string[]
let app: ReturnType<typeof createStudioApp>

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'emend-app-'))
  const built = join(folder, 'app')
  mkdirSync(join(built, 'assets'), { recursive: true })
  writeFileSync(join(built, 'index.html'), '<meta name="nonce" content="%NONCE%">')
  writeFileSync(join(built, 'assets', 'a-1.js'), 'export {}')
  writeFileSync(join(folder, 'secret.txt'), 'secret')
  store = await Store.open(join(folder, 'emend.db'))
  logged = []
  const log = (line: string) => void logged.push(line)
  const page = new Page(built)
  app = createStudioApp({ store, page, annotator: 'ada', reasons: ['tone'], budget: 0.4, loopback: true, log })
})
afterEach(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

/** As much of any answer as the tests look at. */
type Answer = Record<string, never> & {
  item: { id: string; response: string; draft?: string; wholeLength?: number }
  error: { message: string; code: string }
}

const ask = (path: string, init: RequestInit = {}) =>
  app.request(path, { ...init, headers: { host: 'localhost:8090', ...(init.headers as object) } })
const post = async (path: string, body: unknown, headers: object = {}) => {
  const init = { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) }
  const response = await ask(path, { ...init, headers: { 'content-type': 'application/json', ...headers } })
  return { status: response.status, body: (await response.json()) as Answer }
}

describe('the page', () => {
  it('comes with a policy that lets it load nothing but itself, and a new nonce each time', async () => {
    const nonces = await Promise.all(
      ['/', '/index.html'].map(async path => {
        const response = await ask(path)
        const policy = response.headers.get('content-security-policy')!
        expect(policy).toContain("default-src 'self'")
        expect(policy).not.toContain('unsafe')
        expect(response.headers.get('x-content-type-options')).toBe('nosniff')
        const nonce = /nonce-([\w-]+)/.exec(policy)![1]!
        expect(await response.text()).toBe(`<meta name="nonce" content="${nonce}">`)
        return nonce
      }),
    )
    expect(nonces[0]).not.toBe(nonces[1])
  })

  it('is its files and nothing beside them', async () => {
    expect((await ask('/assets/a-1.js')).headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    for (const path of ['/../secret.txt', '/%2e%2e/secret.txt', '/assets/..%2f..%2fsecret.txt', '/emend.db', '/assets'])
      expect((await ask(path)).status).toBe(404)
  })

  it('that is not built is refused with the command that builds it', () => {
    expect(() => new Page(join(folder, 'nowhere'))).toThrow(/npm run build -w @emend\/studio/)
  })
})

describe('who may ask', () => {
  it('no page of another origin, no other name, nothing but JSON', async () => {
    const claim = { window: 'w' }
    expect((await post('/api/claim', claim)).status).toBe(200)
    expect((await post('/api/claim', claim, { origin: 'http://localhost:8090' })).status).toBe(200)
    expect((await post('/api/claim', claim, { origin: 'https://evil.example' })).status).toBe(403)
    expect((await post('/api/claim', claim, { origin: 'null' })).status).toBe(403)
    expect((await post('/api/claim', claim, { host: 'evil.example' })).status).toBe(403)
    expect((await ask('/api/items', { headers: { host: 'evil.example' } })).status).toBe(403)
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', ''])
      expect((await post('/api/claim', claim, { 'content-type': type })).status).toBe(415)
  })
})

/** Until another time is written down. */
const later = () => new Promise(resolve => setTimeout(resolve, 2))

describe('the queue', () => {
  const add = (...responses: string[]) => store.addItems(responses.map(response => ({ prompt: 'p', response })))
  const w = (window: string) => ({ window })

  it('gives an item to one window, takes its draft, and stores its edit once however often it is sent', async () => {
    await add('it were', 'it is')
    const [{ body: one }, { body: two }] = [await post('/api/claim', w('1')), await post('/api/claim', w('2'))]
    expect([one['item'].response, two['item'].response]).toEqual(['it were', 'it is'])
    const item = one['item'].id as string
    expect((await post('/api/draft', { ...w('1'), item, text: 'it wa' })).status).toBe(200)
    expect((await post('/api/claim', { ...w('1'), item })).body['item'].draft).toBe('it wa')
    const submission = { ...w('1'), item, final: 'it was', reasons: ['tone'], seconds: 2.5 }
    const first = await post('/api/submit', submission)
    expect(first.body['counts']).toEqual({ pending: 0, claimed: 1, done: 1, discarded: 0, skipped: 0 })
    expect((await post('/api/submit', submission)).body['edit']).toBe(first.body['edit'])
    const edits = []
    for await (const { final, by, seconds, reasons } of store.edits()) edits.push({ final, by, seconds, reasons })
    expect(edits).toEqual([{ final: 'it was', by: { kind: 'person', name: 'ada' }, seconds: 2.5, reasons: ['tone'] }])
  })

  it('keeps the text of a window that lost its item, and tells it', async () => {
    await add('it were')
    const { item } = (await post('/api/claim', w('1'))).body
    const other = { ...w('2'), annotator: 'bob' }
    expect((await post('/api/submit', { ...other, item: item.id, final: 'x' })).body['error']).toMatchObject({
      code: 'not_yours',
    })
    expect((await post('/api/claim', { ...other, item: item.id })).body['item']).toBeNull()
    const late = await post('/api/draft', { ...other, item: item.id, text: 'late' })
    expect([late.status, (await store.item(item.id, 'bob')).draft]).toEqual([409, 'late'])
  })

  it('begins a revision with what was submitted last, or typed since', async () => {
    await add('it were')
    const [ada, bob] = [w('1'), { ...w('2'), annotator: 'bob' }]
    const { item } = (await post('/api/claim', ada)).body
    const begins = async (who: object) => (await post('/api/claim', { ...who, item: item.id })).body.item.draft
    const release = (who: object) => post('/api/release', { ...who, item: item.id })
    await post('/api/draft', { ...ada, item: item.id, text: 'it wa' })
    await later()
    await post('/api/submit', { ...ada, item: item.id, final: 'it was' })
    expect(await begins(ada)).toBe('it was')
    await release(ada)
    expect(await begins(bob)).toBe('it was')
    await later()
    await post('/api/submit', { ...bob, item: item.id, final: 'it has been' })
    expect(await begins(ada)).toBe('it has been')
    await later()
    await post('/api/draft', { ...ada, item: item.id, text: 'it has b' })
    await release(ada)
    expect(await begins(ada)).toBe('it has b')
    await release(ada)
    expect((await post('/api/undo', bob)).body.item.draft).toBe('it has been')
  })

  it('shows only the beginning of a text that is too long for a page', async () => {
    await add(`${'x'.repeat(SHOWN_LENGTH - 1)}🙂${'x'.repeat(1000)}`)
    const { item } = (await post('/api/claim', w('1'))).body
    expect(item.wholeLength).toBe(SHOWN_LENGTH + 1001)
    expect(item.response).toBe(`${'x'.repeat(SHOWN_LENGTH - 1)}…`)
  })

  it('refuses what it cannot use, naming the field', async () => {
    await add('it were')
    const { item } = (await post('/api/claim', w('1'))).body
    const refused = async (path: string, body: unknown) => {
      const { status, body: answer } = await post(path, body)
      return [status, answer['error'].message]
    }
    expect(await refused('/api/claim', '{')).toEqual([400, expect.stringContaining('the body is no JSON')])
    expect(await refused('/api/claim', {})).toEqual([400, expect.stringMatching(/^window: /)])
    expect(await refused('/api/claim', { window: 'w', extra: 1 })).toEqual([400, expect.stringContaining('extra')])
    expect(await refused('/api/submit', { ...w('1'), item: item.id, final: '\ud800' })).toEqual([
      400,
      'final: holds a lone surrogate',
    ])
    expect(await refused('/api/submit', { ...w('1'), item: item.id, final: '  ' })).toEqual([
      400,
      expect.stringContaining('the final text is empty'),
    ])
    expect(await refused('/api/skip', { ...w('1'), item: 'none' })).toEqual([400, expect.stringContaining('item none')])
    expect(await refused('/api/score', { prompt: 'p', response: 'r' })).toEqual([
      404,
      expect.stringContaining('--reward DIR'),
    ])
    expect((await ask('/api/items?status=lost')).status).toBe(400)
    expect((await post('/api/claim', { window: 'w', item: 'x'.repeat(5 << 20) })).status).toBe(413)
    expect(logged).toEqual([])
  })
})
