/** What is new, known, or twice in a file, wherever it stands. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { exportStore } from '../formats/export.js'
import { importFile } from '../formats/import.js'
import { Store } from './index.js'

let folder: string
let stores = 0
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-bulk-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const lineOf = (i: number) => `{"prompt":"Question ${i % 5}?","draft":"draft ${i}","final":"final ${i}"}`

function written(name: string, lines: readonly string[]): string {
  const path = join(folder, name)
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

async function exported(store: Store): Promise<string[]> {
  const out = join(folder, 'out.jsonl')
  await exportStore(store, out, { format: 'draft-final' })
  return readFileSync(out, 'utf8').trimEnd().split('\n')
}

it('any files one after the other, and again: what another file brought is known, what stands twice in one is twice', async () => {
  const file = fc.array(fc.nat(30), { minLength: 1, maxLength: 80 })
  await fc.assert(
    fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 3 }), async numbers => {
      await using store = await Store.open(join(folder, `${++stores}.db`))
      const files = numbers.map((of, k) => written(`${stores}-${k}.jsonl`, of.map(lineOf)))
      const expected: number[] = []
      for (const [k, of] of numbers.entries()) {
        // Two files of the same bytes are one import.
        const twin = numbers.slice(0, k).some(other => other.join() === of.join())
        const fresh = twin ? [] : of.filter(i => !numbers.slice(0, k).flat().includes(i))
        expected.push(...fresh)
        const report = await importFile(store, files[k]!)
        expect(report).toMatchObject({ read: of.length, added: fresh.length, known: of.length - fresh.length })
      }
      const lines = expected.map(lineOf)
      expect(await exported(store)).toEqual(lines)
      for (const [k, path] of files.entries())
        expect(await importFile(store, path)).toMatchObject({ added: 0, known: numbers[k]!.length })
      expect(await exported(store)).toEqual(lines)
      const prompts: string[] = []
      for await (const { prompt } of store.prompts()) prompts.push(prompt as string)
      expect(prompts).toEqual([...new Set(numbers.flat().map(i => `Question ${i % 5}?`))])
    }),
    { numRuns: 40 },
  )
})

it('records that stand twice, far apart, in a file of several transactions', async () => {
  const numbers = Array.from({ length: 120_000 }, (_, i) => (i % 40_000 === 7 ? 7 : i))
  const lines = numbers.map(lineOf)
  const file = written('far.jsonl', lines)
  await using store = await Store.open(join(folder, 'far.db'))
  expect(await importFile(store, file)).toMatchObject({ added: 120_000, known: 0 })
  expect(await importFile(store, file)).toMatchObject({ added: 0, known: 120_000 })
  // Another file with all of them, and one more between.
  const more = written('more.jsonl', [...lines.slice(0, 60_000), lineOf(200_000), ...lines.slice(60_000)])
  expect(await importFile(store, more)).toMatchObject({ added: 1, known: 120_000 })
  expect(await exported(store)).toEqual([...lines, lineOf(200_000)])
}, 120_000)

it('an import that fails takes back what was not committed, and can be done again', async () => {
  const good = Array.from({ length: 7000 }, (_, i) => lineOf(i))
  await using store = await Store.open(join(folder, 'failed.db'))
  let seen = 0
  const redact = (record: object) => {
    if (++seen === 6500) throw new Error('no more')
    return record as Record<string, unknown>
  }
  const file = written('failing.jsonl', good)
  await expect(importFile(store, file, { redact })).rejects.toThrow('the redaction failed: no more')
  expect(await store.prompts().next()).toEqual({ done: true, value: undefined })
  expect(await importFile(store, file)).toMatchObject({ added: 7000, known: 0 })
  expect(await exported(store)).toEqual(good)
})
