/** Several processes on one store, and processes that die: nothing lost, nothing doubled. */

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { exportStore } from '../formats/export.js'
import { importFile } from '../formats/import.js'
import { Store } from './index.js'

const dist = fileURLToPath(new URL('../../../dist/data', import.meta.url))
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-processes-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** A process that runs a module's text with Store, importFile and its arguments in reach. */
function run(body: string, ...args: string[]): { child: ChildProcess; out: Promise<string> } {
  const script = `
    import { Store } from ${JSON.stringify(`${dist}/store/index.js`)}
    import { importFile } from ${JSON.stringify(`${dist}/formats/import.js`)}
    const args = process.argv.slice(1)
    ${body}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout!.on('data', (chunk: Buffer) => (out += chunk))
  child.stderr!.on('data', (chunk: Buffer) => (err += chunk))
  return {
    child,
    out: new Promise((resolve, reject) =>
      child.on('close', (code, signal) => (code === 0 || signal === 'SIGKILL' ? resolve(out) : reject(new Error(err)))),
    ),
  }
}

/** Records `from` to `to`, every tenth of them twice. */
function write(name: string, from: number, to: number): string {
  const path = join(folder, name)
  const record = (i: number) => `{"prompt":"Question ${i % 700}?","draft":"draft ${i}","final":"final ${i}"}\n`
  const lines = Array.from({ length: to - from }, (_, i) => record(from + i) + (i % 10 ? '' : record(from + i)))
  writeFileSync(path, lines.join(''))
  return path
}

async function exported(path: string): Promise<string[]> {
  await using store = await Store.open(path)
  const out = `${path}.jsonl`
  await exportStore(store, out, { format: 'draft-final' })
  return readFileSync(out, 'utf8').trimEnd().split('\n')
}

const IMPORT = `
  const store = await Store.open(args[0])
  const { added, known } = await importFile(store, args[1], { onProgress: read => read > 60_000 && console.log(read) })
  console.log(JSON.stringify({ added, known }))
  await store.close()`

it.skipIf(!existsSync(`${dist}/store/index.js`))(
  'two importers of overlapping files and a reader at once',
  async () => {
    const path = join(folder, 'both.db')
    const a = write('a.jsonl', 0, 60_000)
    const b = write('b.jsonl', 30_000, 90_000)
    const reader = run(
      `const store = await Store.open(args[0])
       let last = 0
       for (let i = 0; i < 5; i++) {
         let n = 0
         for await (const edit of store.edits()) if (edit.final === edit.draft.replace('draft', 'final')) n++
         if (n < last) throw new Error('edits went away')
         last = n
       }
       await store.close()`,
      path,
    )
    const counts = await Promise.all([run(IMPORT, path, a).out, run(IMPORT, path, b).out, reader.out])
    const [x, y] = counts.slice(0, 2).map(out => JSON.parse(out.trimEnd().split('\n').at(-1)!) as { added: number })
    const lines = await exported(path)
    expect(x!.added + y!.added).toBe(lines.length)
    // Every record is there, and none more often than in the file that brought it.
    const expected = new Set([
      ...readFileSync(a, 'utf8').trimEnd().split('\n'),
      ...readFileSync(b, 'utf8').trimEnd().split('\n'),
    ])
    expect(new Set(lines)).toEqual(expected)
    const doubled = lines.length - expected.size
    expect(doubled).toBeGreaterThanOrEqual(0)
    expect(doubled).toBeLessThanOrEqual(9_000)
    await using store = await Store.open(path)
    expect(await store.counts()).toMatchObject({ pending: 0 })
    let prompts = 0
    for await (const _ of store.prompts()) prompts++
    expect(prompts).toBe(700)
  },
  300_000,
)

it.skipIf(!existsSync(`${dist}/store/index.js`))(
  'kill -9 during an import, then again: the same store as without',
  async () => {
    const file = write('killed.jsonl', 0, 120_000)
    const path = join(folder, 'killed.db')
    for (let round = 0; round < 3; round++) {
      const { child, out } = run(IMPORT, path, file)
      // Once after its first transaction, then at moments of no meaning.
      await new Promise<void>(resolve =>
        round === 0 ? child.stdout!.once('data', () => resolve()) : setTimeout(resolve, 150 + 130 * round),
      )
      child.kill('SIGKILL')
      await out
    }
    const whole = join(folder, 'whole.db')
    await using other = await Store.open(whole)
    await importFile(other, file)
    {
      await using again = await Store.open(path)
      const { added, known } = await importFile(again, file)
      expect(added + known).toBe(132_000)
      expect(known).toBeGreaterThan(0)
    }
    const lines = await exported(path)
    expect(lines).toEqual(await exported(whole))
    expect(lines.join('\n')).toBe(readFileSync(file, 'utf8').trimEnd())
  },
  300_000,
)

it.skipIf(!existsSync(`${dist}/store/index.js`))(
  'eight annotators on one queue: every item is edited once, and what was acknowledged outlives kill -9',
  async () => {
    const path = join(folder, 'queue.db')
    await using store = await Store.open(path)
    await store.addItems(Array.from({ length: 120 }, (_, i) => ({ prompt: 'p', response: `It were ${i}.` })))
    const annotate = `
      const store = await Store.open(args[0])
      for (let item; (item = await store.claim(args[1])); ) {
        const edit = await store.submit(item.id, args[1], { final: item.response.replace('were', 'was') })
        console.log(edit.id)
      }`
    const workers = Array.from({ length: 8 }, (_, i) => run(annotate, path, `annotator ${i}`))
    setTimeout(() => workers[0]!.child.kill('SIGKILL'), 500)
    const outs = await Promise.all(workers.map(worker => worker.out))
    const acknowledged = outs.flatMap(out => out.split('\n').filter(id => id.length === 32))
    expect(new Set(acknowledged).size).toBe(acknowledged.length)
    const stored = new Map<string, string>()
    for await (const edit of store.edits()) stored.set(edit.id, edit.final)
    for (const id of acknowledged) expect(stored.get(id)).toMatch(/^It was \d+\.$/)
    // The one that died may hold one item, and may have stored one edit whose id it did not print.
    const { done, claimed, pending } = await store.counts()
    expect(done).toBe(stored.size)
    expect(done - acknowledged.length).toBeLessThanOrEqual(1)
    expect([claimed, pending]).toEqual([120 - done, 0])
    expect(120 - done).toBeLessThanOrEqual(1)
  },
  300_000,
)

it.skipIf(!existsSync(`${dist}/store/index.js`))(
  'six processes that open a store that is not there yet',
  async () => {
    const path = join(folder, 'fresh', 'emend.db')
    const open = 'const store = await Store.open(args[0]); await store.addItems([{ prompt: "", response: args[1] }])'
    await Promise.all(Array.from({ length: 6 }, (_, i) => run(open, path, `response ${i}`).out))
    await using store = await Store.open(path)
    expect((await store.counts()).pending).toBe(6)
  },
  300_000,
)
