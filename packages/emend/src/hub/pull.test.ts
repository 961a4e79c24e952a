import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { runCli } from '../cli/run-cli.js'
import { type PullOptions, pull } from './pull.js'
import { resolveModel } from './resolve.js'

const COMMIT = '0123456789abcdef0123456789abcdef01234567'
/** Large enough to be cut; every byte depends on its place. */
const WEIGHTS = Buffer.from(Uint32Array.from({ length: 50_000 }, (_, i) => Math.imul(i, 2654435761)).buffer)
const FILES: Record<string, Buffer> = {
  'config.json': Buffer.from('{"model_type":"llama"}'),
  'tokenizer.json': Buffer.from('{}'),
  'README.md': Buffer.from('# words'),
  'model.safetensors': WEIGHTS,
  'onnx/model.onnx': Buffer.from('onnx'),
  'tiny.Q8_0.gguf': Buffer.from('GGUF one'),
  'added_tokens.json': Buffer.alloc(0),
}
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const gitSha1 = (bytes: Buffer) => createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
const isLarge = (path: string) => /safetensors|gguf|onnx$/.test(path)
const hashOf = (path: string) => (isLarge(path) ? sha256 : gitSha1)(FILES[path]!)

let folder: string
let server: Server
let endpoint: string
/** What was asked for, `METHOD path range`. */
let asked: string[]
let tokens: Set<string | undefined>
/** How the hub misbehaves. */
let trouble: {
  cutAfter?: number
  cuts?: number
  need?: string
  /** only the files themselves need it */
  gated?: boolean
  files?: Record<string, Buffer>
  garbled?: boolean
  odd?: object
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'emend-hub-'))
  asked = []
  tokens = new Set()
  trouble = {}
  server = createServer((request, response) => {
    const url = decodeURIComponent(request.url!.split('?')[0]!)
    const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '')
    asked.push(`${url} ${range?.[0] ?? ''}`.trim())
    tokens.add(request.headers.authorization)
    const json = (status: number, value: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    const open = trouble.gated && url.startsWith('/api/')
    if (trouble.need && !open && request.headers.authorization !== `Bearer ${trouble.need}`)
      return json(401, { error: 'Invalid username or password.' })
    const files = trouble.files ?? FILES
    const info = /^\/api\/models\/org\/tiny\/revision\/(.*)$/.exec(url)
    if (info && ['main', 'v1', COMMIT].includes(info[1]!))
      return json(200, trouble.odd ?? { _id: '1', id: 'org/tiny', sha: COMMIT, private: false, gated: false })
    if (url === `/api/models/org/tiny/tree/${COMMIT}`) {
      const entry = (path: string) => ({
        type: 'file',
        path,
        size: files[path]!.length,
        oid: gitSha1(files[path]!),
        ...(isLarge(path) && { lfs: { oid: sha256(files[path]!), size: files[path]!.length, pointerSize: 130 } }),
      })
      return json(200, [{ type: 'directory', path: 'onnx', size: 0, oid: '0' }, ...Object.keys(files).map(entry)])
    }
    const path = url.replace(`/org/tiny/resolve/${COMMIT}/`, '')
    const bytes = files[path]
    if (!bytes) return json(404, { error: 'Repository not found' })
    const from = Number(range?.[1] ?? 0)
    const to = range?.[2] ? Number(range[2]) + 1 : bytes.length
    response.writeHead(range ? 206 : 200, {
      etag: `"${hashOf(path)}"`,
      'content-length': to - from,
      'content-range': `bytes ${from}-${to - 1}/${bytes.length}`,
    })
    const body = trouble.garbled ? Buffer.alloc(to - from) : bytes.subarray(from, to)
    if (trouble.cutAfter !== undefined && body.length > trouble.cutAfter && (trouble.cuts ??= 1) > 0) {
      trouble.cuts--
      return response.write(body.subarray(0, trouble.cutAfter), () => setTimeout(() => response.destroy(), 20))
    }
    return response.end(body)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
  rmSync(folder, { recursive: true })
})

const fetchIt = (model = 'org/tiny', options: PullOptions = {}) =>
  pull(model, { endpoint, cache: folder, wait: 1, token: '', ...options })
const inCache = (...parts: string[]) => join(folder, 'models--org--tiny', ...parts)

describe('pull', () => {
  it('fetches what Emend reads into the layout of Hugging Face, and the model is found by its name', async () => {
    const pulled = await fetchIt()
    const files = ['config.json', 'tokenizer.json', 'model.safetensors', 'added_tokens.json']
    expect(pulled).toEqual({
      repository: 'org/tiny',
      revision: 'main',
      commit: COMMIT,
      folder: inCache('snapshots', COMMIT),
      files,
      bytes: 22 + 2 + 200_000,
    })
    for (const path of files) {
      expect(readFileSync(join(pulled.folder, path)).equals(FILES[path]!)).toBe(true)
      expect(readlinkSync(join(pulled.folder, path))).toBe(`../../blobs/${hashOf(path)}`)
    }
    expect(readFileSync(inCache('refs', 'main'), 'utf8')).toBe(COMMIT)
    expect(readdirSync(inCache('blobs')).sort()).toEqual(files.map(hashOf).sort())
    for (const name of ['org/tiny', 'org/tiny@main', `org/tiny@${COMMIT}`])
      expect(resolveModel(name, folder)).toBe(pulled.folder)
  })

  it('fetches nothing twice', async () => {
    await fetchIt()
    const before = asked.length
    await fetchIt('org/tiny@v1')
    expect(asked.slice(before).filter(line => line.includes('/resolve/'))).toEqual([])
    expect(readFileSync(inCache('refs', 'v1'), 'utf8')).toBe(COMMIT)
  })

  it('goes on where a connection was cut, in the same call', async () => {
    trouble = { cutAfter: 60_000, cuts: 2 }
    const seen: number[] = []
    await fetchIt('org/tiny', { onProgress: done => seen.push(done) })
    expect(readFileSync(inCache('snapshots', COMMIT, 'model.safetensors')).equals(WEIGHTS)).toBe(true)
    const ranges = asked.filter(line => line.includes('model.safetensors')).map(line => line.split(' ')[1])
    expect(ranges.filter(range => range !== 'bytes=0-0')).toEqual([
      undefined,
      'bytes=60000-199999',
      'bytes=120000-199999',
    ])
    expect(seen.at(-1)).toBe(200_024)
    expect([...seen].sort((a, b) => a - b)).toEqual(seen)
  })

  it('goes on where an earlier call ended', async () => {
    trouble = { cutAfter: 0, cuts: 1e9 }
    writeFileSync(join(folder, 'x'), '')
    await expect(fetchIt()).rejects.toThrow(
      /^org\/tiny: config\.json: the connection to http.* failed \(.+\); run the same command again/,
    )
    trouble = { cutAfter: 150_000, cuts: 1 }
    const stop = new AbortController()
    await expect(
      fetchIt('org/tiny', { signal: stop.signal, onProgress: done => done > 100_000 && stop.abort() }),
    ).rejects.toMatchObject({ name: 'Interrupted' })
    expect(existsSync(inCache('refs', 'main'))).toBe(false)
    expect(() => resolveModel('org/tiny', folder)).toThrow('emend pull org/tiny')
    trouble = {}
    await fetchIt()
    const last = asked.findLast(line => line.includes('model.safetensors'))
    expect(Number(/bytes=(\d+)-199999/.exec(last!)![1])).toBeGreaterThan(0)
    expect(readFileSync(inCache('snapshots', COMMIT, 'model.safetensors')).equals(WEIGHTS)).toBe(true)
  })

  it('keeps nothing that is not what its hash says', async () => {
    trouble = { garbled: true }
    await expect(fetchIt()).rejects.toThrow(
      /^org\/tiny: config\.json: what came is not the file \(hash .*, expected .*\)/,
    )
    expect(readdirSync(inCache('blobs'))).toEqual([])
  })

  it('takes other files where asked, and copies them out', async () => {
    const out = join(folder, 'out')
    const pulled = await fetchIt('org/tiny', { include: ['*.gguf', 'onnx/*'], out })
    expect(pulled.files).toEqual(['onnx/model.onnx', 'tiny.Q8_0.gguf'])
    expect(pulled.folder).toBe(out)
    expect(readFileSync(join(out, 'onnx', 'model.onnx'), 'utf8')).toBe('onnx')
    expect(resolveModel('org/tiny', folder)).toBe(inCache('snapshots', COMMIT, 'tiny.Q8_0.gguf'))
  })

  it('sends the token to the endpoint, whatever its form', async () => {
    trouble = { need: 'mirror-token' }
    await fetchIt('org/tiny', { token: 'mirror-token' })
    expect([...tokens]).toEqual(['Bearer mirror-token'])
  })

  it.each<[string, () => void, string, PullOptions, RegExp]>([
    [
      'a private model',
      () => (trouble = { need: 'x' }),
      'org/tiny',
      {},
      /^org\/tiny \(revision main\): http.* says 401: .* HF_TOKEN$/,
    ],
    [
      'a gated model that anybody may list',
      () => (trouble = { need: 'x', gated: true }),
      'org/tiny',
      {},
      /^org\/tiny: \S+: http.* says 401: .* HF_TOKEN$/,
    ],
    ['a wrong token', () => (trouble = { need: 'x' }), 'org/tiny', { token: 'y' }, /refuses the token \(401\)/],
    [
      'a model that is not there',
      () => {},
      'org/none',
      {},
      /^org\/none \(revision main\): http.* knows no such model or revision/,
    ],
    [
      'a revision that is not there',
      () => {},
      'org/tiny',
      { revision: 'v9' },
      /^org\/tiny \(revision v9\): .*no such model or revision/,
    ],
    ['a name of another form', () => {}, 'tiny', {}, /^tiny: expected ORG\/NAME/],
    [
      'no endpoint',
      () => {},
      'org/tiny',
      { endpoint: 'http://127.0.0.1:47999' },
      /the connection to http:\/\/127\.0\.0\.1:47999 failed \(ECONNREFUSED\)/,
    ],
    ['an endpoint that is none', () => {}, 'org/tiny', { endpoint: 'here' }, /^endpoint here: expected a URL/],
    [
      'an endpoint of something else',
      () => (trouble = { odd: { hello: 1 } }),
      'org/tiny',
      {},
      /not a hub's|got no commit/,
    ],
    [
      'files that are not there',
      () => {},
      'org/tiny',
      { include: ['*.bin'] },
      /nothing is called \*\.bin; it has config\.json, /,
    ],
    ['GGUF alone', () => (trouble = { files: { 'a.gguf': Buffer.from('a') } }), 'org/tiny', {}, /--include 'a\.gguf'/],
    [
      'pickles alone',
      () => (trouble = { files: { 'pytorch_model.bin': Buffer.from('a') } }),
      'org/tiny',
      {},
      /no safetensors/,
    ],
    [
      'a path that leads out',
      () => (trouble = { files: { '../config.json': Buffer.from('a') } }),
      'org/tiny',
      {},
      /cannot be kept safely/,
    ],
    [
      'a cache that cannot be',
      () => {},
      'org/tiny',
      { cache: '/dev/null/x' },
      /\/dev\/null.*cannot be written \((ENOTDIR|EEXIST)\)/,
    ],
  ])('%s is one clear error', async (_, before, model, options, said) => {
    before()
    const error = await fetchIt(model, options).catch((error: Error) => error)
    expect((error as Error).message).toMatch(said)
    expect((error as Error).message).not.toContain('\n')
    expect(['EmendError', 'UsageError']).toContain((error as Error).name)
  })
})

describe('emend pull', () => {
  it('prints where the model is, at which commit, and goes by the environment', async () => {
    vi.stubEnv('HF_HUB_CACHE', folder)
    vi.stubEnv('HF_ENDPOINT', endpoint)
    vi.stubEnv('HF_TOKEN', 'hf_secret')
    let [out, log] = ['', '']
    const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text, done?: unknown) => {
      out += text
      ;(done as (() => void) | undefined)?.()
      return true
    })
    const stderr = vi.spyOn(process.stderr, 'write').mockImplementation(text => Boolean((log += text)))
    try {
      expect(await runCli(['pull', 'org/tiny', '--include', '*.gguf', '--json'])).toBe(0)
      expect(JSON.parse(out)).toEqual({
        repository: 'org/tiny',
        revision: 'main',
        commit: COMMIT,
        folder: inCache('snapshots', COMMIT),
        files: ['tiny.Q8_0.gguf'],
        bytes: 8,
      })
      expect(log).toMatch(/^pull {2}0\.0 MiB {2}in .*1 files\n$/)
      expect([...tokens]).toEqual(['Bearer hf_secret'])
      expect(out + log).not.toContain('secret')
    } finally {
      stdout.mockRestore()
      stderr.mockRestore()
      vi.unstubAllEnvs()
    }
  })
})

describe('resolveModel', () => {
  it('leaves paths alone and says how to pull what is not here', () => {
    expect(resolveModel(folder, folder)).toBe(folder)
    expect(resolveModel('runs/demo/model', folder)).toBe('runs/demo/model')
    expect(resolveModel('./org/tiny', folder)).toBe('./org/tiny')
    expect(() => resolveModel('org/tiny@v1', folder)).toThrow('emend pull org/tiny --revision v1')
  })
})
