import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Edit } from '@emend/edits'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Store } from '../data/store/index.js'
import { readStay } from '../worlds/concierge/read-stay.js'
import { concierge } from '../worlds/index.js'
import { annotateQueue } from './queue.js'
import { scriptedAnnotator } from './scripted.js'

let folder: string
let store: Store
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'emend-annotate-'))
  store = await Store.open(join(folder, 'emend.db'))
})
afterEach(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

const edits = async () => {
  const all: Edit[] = []
  for await (const edit of store.edits()) all.push(edit)
  return all
}

describe('a scripted annotator', () => {
  it('of a world edits as its simulated people do, signed as a script', async () => {
    const stays = concierge.stays('pairs', 3, 40)
    const drafts = stays.map((stay, i) => concierge.demonstration(stay, i))
    await store.addItems(stays.map(({ prompt }, i) => ({ prompt, response: drafts[i]! })))
    const report = await annotateQueue(store, await scriptedAnnotator('concierge', 5), { parallel: 4 })
    const expected = stays.map((stay, i) => concierge.edit(stay, drafts[i]!, true, 5).final)
    const changed = expected.filter((final, i) => final !== drafts[i])
    expect(report).toMatchObject({ edited: changed.length, unchanged: 40 - changed.length, rejected: 0, lost: 0 })
    const made = await edits()
    expect(made.map(({ final }) => final).sort()).toEqual(changed.sort())
    expect(made[0]!.by).toEqual({ kind: 'script', name: 'concierge' })
  })

  it('of a module edits, leaves and rejects', async () => {
    const path = join(folder, 'rules.mjs')
    writeFileSync(
      path,
      `export const name = 'shout'
       export default ({ draft }) =>
         draft.includes('secret') ? { rejected: 'a secret' } : { final: draft.replace('hi', 'HI'), reasons: ['tone'] }`,
    )
    const drafts = ['hi there', 'fine as it is', 'a secret']
    await store.addItems(drafts.map(response => ({ prompt: '', response })))
    const annotator = await scriptedAnnotator(path)
    expect(await annotateQueue(store, annotator)).toMatchObject({ edited: 1, unchanged: 1, rejected: 1, lost: 0 })
    expect(await edits()).toMatchObject([
      { draft: 'hi there', final: 'HI there', reasons: ['tone'], by: { kind: 'script', name: 'shout' } },
    ])
    const { items } = await store.items({ status: 'discarded' })
    expect(items.map(({ why, reason }) => [why, reason])).toEqual([
      ['no-edit-needed', undefined],
      ['cannot-be-fixed', 'a secret'],
    ])
  })

  it('gives its item back where it fails', async () => {
    await store.addItems([{ prompt: '', response: 'x' }])
    const by = { kind: 'script', name: 'broken' } as const
    const broken = { by, edit: () => Promise.reject(new Error('out of order')) }
    await expect(annotateQueue(store, broken)).rejects.toThrow('out of order')
    expect((await store.counts()).pending).toBe(1)
  })

  it('is refused by name where there is none', async () => {
    await expect(scriptedAnnotator('atlantis')).rejects.toThrow(/--world atlantis: expected concierge/)
  })
})

it('a prompt of Concierge is read back into its stay', () => {
  for (const stay of concierge.stays('test', 0, 200)) expect(readStay(stay.prompt)).toEqual(stay)
  expect(readStay('### Stay\n guest: Ms Silva\n')).toBeUndefined()
})
