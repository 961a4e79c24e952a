/** A store of an older version, as SQL: it is brought up to date when it is opened, and nothing in it is lost. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import Database from 'libsql'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Entry, Kind } from '../formats/entry.js'
import { exportStore } from '../formats/export.js'
import { importFile } from '../formats/import.js'
import { rowOf } from './by-id.js'
import { selectEdits } from './edits.js'
import { storedEntries } from './entries.js'
import { Store } from './index.js'

const OLD = readFileSync(new URL('../../../goldens/store/0003.sql', import.meta.url), 'utf8')
/** What was imported into it, and with which format. */
const FILES = {
  'draft-final': [
    '{"prompt":"Where is my parcel?","draft":"It were sent on Monday.","final":"It was sent on Monday."}',
    '{"prompt":"Where is my parcel?","draft":"It were sent on Tuesday.","final":"It was sent on Tuesday."}',
    '{"prompt":"Where is my parcel?","draft":"It were sent on Monday.","final":"It was sent on Monday."}',
    '{"prompt":[{"role":"user","content":"¿Dónde está?"},{"role":"assistant","content":"Hm."},{"role":"user","content":"So?"}],"draft":"Nul\\u0000 inside","final":"A NUL\\u0000 inside","reasons":["spelling"],"at":"2026-11-01T10:00:00Z"}',
  ],
  'trl-preference': [
    '{"prompt":"Name a colour.","chosen":"Red.","rejected":"Car."}',
    '{"prompt":"Name a colour.","chosen":"Blue.","rejected":"Red, I think, or another.","source":"by hand"}',
    '{"prompt":"Where is my parcel?","chosen":"On its way.","rejected":"No."}',
  ],
  alpaca: [
    '{"instruction":"Name a colour.","input":"","output":"Green."}',
    '{"instruction":"Add.","input":"1 and 2","output":"3"}',
  ],
}

let folder: string
let path: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-migrations-'))
  path = join(folder, 'old.db')
  const old = new Database(path)
  old.exec(OLD)
  old.close()
})
afterAll(() => rmSync(folder, { recursive: true }))

it('what was imported comes back, and is known when it is imported again', async () => {
  await using store = await Store.open(path)
  for (const [format, lines] of Object.entries(FILES)) {
    const file = join(folder, `${format}.jsonl`)
    writeFileSync(file, `${lines.join('\n')}\n`)
    expect(await importFile(store, file, { format })).toMatchObject({ added: 0, known: lines.length })
  }
  expect(await entries(store, 'response')).toMatchObject([
    { prompt: 'Name a colour.', response: 'Green.' },
    { prompt: 'Add.\n\n1 and 2', response: '3' },
  ])
  expect(await entries(store, 'preference')).toMatchObject([
    { prompt: 'Name a colour.', first: 'Red.', second: 'Car.' },
    { prompt: 'Name a colour.', first: 'Blue.', rest: { source: 'by hand' } },
    { prompt: 'Where is my parcel?', first: 'On its way.', second: 'No.' },
  ])
  const out = join(folder, 'out.jsonl')
  await exportStore(store, out, { format: 'draft-final' })
  const edits = readFileSync(out, 'utf8').split('\n')
  expect(edits.slice(0, 4)).toEqual(FILES['draft-final'])
  // Made on the queue.
  expect(JSON.parse(edits[4]!)).toMatchObject({ prompt: 'Name a colour.', draft: 'Car.', final: 'Red.' })
})

it('its queue goes on: versions, a saved draft, an edit that is made again', async () => {
  await using store = await Store.open(path)
  const [done, claimed, pending] = (await store.items({ annotator: 'ada' })).items
  expect(done).toMatchObject({ status: 'done', response: 'Car.', preferred: 'Red.' })
  expect(await store.edit(done!.edit!)).toMatchObject({ prompt: 'Name a colour.', final: 'Red.', seconds: 4 })
  expect(claimed).toMatchObject({ draft: 'Red, I', prompt: 'Name a colour.' })
  expect(pending).toMatchObject({ status: 'pending', prompt: 'Where is my parcel?', response: 'No.' })
  expect((await store.undo('ada'))!.draft).toBe('Red.')
  // The version before is current again, and what was taken back is the same edit when it is submitted once more.
  const before = await current(store)
  expect(before).toContain('Red car.')
  const again = await store.submit(done!.id, 'ada', { final: 'Red.' })
  expect(again.id).toBe(done!.edit)
  expect(await current(store)).toEqual([...before.filter(final => final !== 'Red car.'), 'Red.'])
})

it('prompts are found by their ids, not by looking through all of them', async () => {
  await using store = await Store.open(path)
  const { db } = store.database
  const some = selectEdits(db).where('edits.n', '>', 1).orderBy('edits.n').limit(5)
  const one = selectEdits(db).where('edits.n', '=', rowOf('edits', sql.val('05091123bbcf9b18b1ee558e9699f164')))
  for (const query of [some, one]) {
    const plan = await query.explain<{ detail: string }>(undefined, sql`query plan`)
    expect(plan.map(({ detail }) => detail).filter(detail => /edits|prompts/.test(detail))).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^SEARCH edits USING INTEGER PRIMARY KEY/),
        'SEARCH prompts USING INTEGER PRIMARY KEY (rowid=?)',
        'SEARCH prompts_by_id USING PRIMARY KEY (key=?)',
      ]),
    )
    expect(plan.filter(({ detail }) => /^SCAN/.test(detail))).toEqual([])
  }
})

it('texts of a still older one are whole in the file: they are read from now on', async () => {
  const older = join(folder, 'older.db')
  const old = new Database(older)
  old.exec(OLD)
  old.prepare('update items set response = ? where n = 3').run('with\0out')
  old.exec("delete from kysely_migration where name >= '0003'")
  expect(old.prepare('select response from items where n = 3').all()).toEqual([{ response: 'with' }])
  old.close()
  await expect(Store.open(older, { readonly: true })).rejects.toThrow(
    'emend studio or emend import with this store brings it',
  )
  await using store = await Store.open(older)
  expect((await store.items()).items[2]!.response).toBe('with\0out')
})

async function entries(store: Store, kind: Kind): Promise<Entry[]> {
  const all: Entry[] = []
  for await (const { entry } of storedEntries(store.database.db, kind)) all.push(entry)
  return all
}

async function current(store: Store): Promise<string[]> {
  const finals: string[] = []
  for await (const { final } of store.edits()) finals.push(final)
  return finals
}
