import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'libsql'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Store } from './index.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-database-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

it('makes the file and its folder, and opens it again', async () => {
  const path = join(folder, 'new', 'emend.db')
  await (await Store.open(path)).close()
  const raw = new Database(path)
  expect(raw.pragma('journal_mode')).toEqual([{ journal_mode: 'wal' }])
  raw.close()
  await using store = await Store.open(path, { readonly: true })
  expect(await store.counts()).toMatchObject({ pending: 0 })
  await expect(store.addItems([{ prompt: '', response: 'x' }])).rejects.toThrow(/readonly/)
})

it('syncs what it acknowledges', async () => {
  await using store = await Store.open(join(folder, 'sync.db'))
  expect(store.database.raw.prepare('PRAGMA synchronous').all([])).toEqual([{ synchronous: 2 }])
})

it.each([
  ['no store there', 'absent.db', undefined, /absent\.db: no such store; check the path/],
  ['a text file', 'text.db', 'a text, no database at all', /text\.db: no SQLite file/],
])('%s: one line says so', async (_, name, content, message) => {
  const path = join(folder, name)
  if (content) writeFileSync(path, content)
  await expect(Store.open(path, { readonly: true })).rejects.toThrow(message)
})

it('refuses a database of something else, and a store of a newer version', async () => {
  const path = join(folder, 'other.db')
  const raw = new Database(path)
  raw.exec('create table songs(title text)')
  raw.close()
  await expect(Store.open(path, { readonly: true })).rejects.toThrow('an SQLite file, but no store of emend')

  const newer = join(folder, 'newer.db')
  await (await Store.open(newer)).close()
  const later = new Database(newer)
  later.exec("insert into kysely_migration values('9999-later', '2030-01-01')")
  later.close()
  await expect(Store.open(newer)).rejects.toThrow('made by a newer version of emend (its step 9999-later')
})
