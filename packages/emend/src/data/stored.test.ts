import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { contentDigest } from '../pipeline/fingerprint.js'
import { readEdits } from './drafts.js'
import { importFile } from './formats/import.js'
import { readPreferences } from './preferences.js'
import { Store } from './store/index.js'

let folder: string
let path: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'emend-stored-'))
  path = join(folder, 'any-name')
  await using store = await Store.open(path)
  await store.addItems([
    { prompt: 'Where?', response: 'It were sent.' },
    { prompt: 'Why?', response: 'Becaus.' },
  ])
  for (const final of ['It was sent.', 'Because.']) {
    const item = (await store.claim('ada'))!
    await store.submit(item.id, 'ada', { final })
  }
  await store.claim('ada', { item: (await store.items()).items[1]!.id })
  await store.submit((await store.items()).items[1]!.id, 'ada', { final: 'Because!' })
  const pairs = join(folder, 'pairs.jsonl')
  writeFileSync(pairs, '{"prompt":"Q","chosen":"a","rejected":"b"}\n{"prompt":"Q","chosen":"a","rejected":"a"}\n')
  await importFile(store, pairs)
})
afterAll(() => rmSync(folder, { recursive: true }))

it('trainers read the current edits of a store as they read a file', async () => {
  const { edits, report } = await readEdits(path)
  expect(edits.map(({ draft, final, by }) => [draft, final, by.name])).toEqual([
    ['It were sent.', 'It was sent.', 'ada'],
    ['Becaus.', 'Because!', 'ada'],
  ])
  expect(report).toMatchObject({ read: 2, kept: 2, broken: 0, overBudget: 1 })
})

it('and its preferences; what is no preference is set aside', async () => {
  const { preferences, report } = await readPreferences(path)
  expect(preferences).toMatchObject([{ prompt: 'Q', chosen: 'a', rejected: 'b' }])
  expect(report).toMatchObject({ read: 2, kept: 1, unchanged: 1 })
})

it('its fingerprint is of what it teaches: drafts and the state of its log do not count', async () => {
  const before = contentDigest(path)
  await using store = await Store.open(path)
  const { items } = await store.items()
  await store.saveDraft(items[0]!.id, 'bob', 'typing')
  expect(contentDigest(path)).toBe(before)
  await store.claim('bob', { item: items[0]!.id })
  await store.submit(items[0]!.id, 'bob', { final: 'It was sent off.' })
  const after = contentDigest(path)
  expect(after).not.toBe(before)
  await store.undo('bob')
  expect(contentDigest(path)).toBe(before)
})
