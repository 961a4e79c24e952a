import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { exportStore } from '../formats/export.js'
import { importFile } from '../formats/import.js'
import { Store } from './index.js'

let folder: string
let n = 0
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-texts-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Any text that UTF-8 can hold, NULs likelier than by chance. */
const text = fc
  .array(fc.oneof(fc.constantFrom('\0', '\0\0', '\u0001', '\\0', '\\u0000', 'word '), fc.string({ unit: 'binary' })))
  .map(parts => parts.join(''))

it('whatever characters a text holds, it comes back from the file as it was', async () => {
  await using store = await Store.open(join(folder, 'any.db'))
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(text, { minLength: 1, maxLength: 8 }), text, async (texts, last) => {
      const source = `${++n} ${last}`
      const items = texts.map(response => ({ prompt: `${source} ${response}`, response, preferred: last, source }))
      expect(await store.addItems(items)).toEqual({ added: texts.length, known: 0 })
      expect(await store.addItems(items)).toEqual({ added: 0, known: texts.length })
      const ada = `ada ${last}`
      for (const item of items) {
        const claimed = (await store.claim(ada))!
        expect(claimed).toMatchObject(item)
        await store.saveDraft(claimed.id, ada, `typed ${last}`)
        expect(await store.item(claimed.id, ada)).toMatchObject({ ...item, draft: `typed ${last}` })
        const final = `${item.response}\0!`
        const edit = await store.submit(claimed.id, ada, { final })
        expect(edit).toMatchObject({ draft: item.response, final, by: { name: ada } })
        expect(await store.edit(edit.id)).toEqual(edit)
      }
    }),
    { numRuns: 20 },
  )
})

it('imported texts too: the file comes back, and is known when it is imported again', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.tuple(text, text, text), { minLength: 1, maxLength: 5 }), async triples => {
      const [path, file, out] = ['store.db', 'in.jsonl', 'out.jsonl'].map(name => join(folder, `${++n}-${name}`))
      const edits = triples.map(([prompt, draft, final]) => ({ prompt, draft, final }))
      const lines = `${edits.map(edit => JSON.stringify(edit)).join('\n')}\n`
      writeFileSync(file!, lines)
      await using store = await Store.open(path!)
      expect(await importFile(store, file!, { format: 'draft-final' })).toMatchObject({ added: edits.length })
      expect(await importFile(store, file!, { format: 'draft-final' })).toMatchObject({ known: edits.length })
      await exportStore(store, out!, { format: 'draft-final' })
      expect(readFileSync(out!, 'utf8')).toBe(lines)
    }),
    { numRuns: 10 },
  )
})
