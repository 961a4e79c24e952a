import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Edit } from '@emend/edits'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { importFile } from '../data/formats/import.js'
import { Store } from '../data/store/index.js'
import { CallError } from '../providers/call-error.js'
import { readStay } from '../worlds/concierge/read-stay.js'
import { concierge } from '../worlds/index.js'
import type { Edited } from './annotator.js'
import { annotateQueue, draftOf } from './queue.js'
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

  it('of a provider that has stopped answering is not asked to the end', async () => {
    await store.addItems(Array.from({ length: 100 }, (_, i) => ({ prompt: '', response: `draft ${i}` })))
    const by = { kind: 'model', name: 'm' } as const
    const edit = vi.fn(({ draft }: { draft: string }): Promise<Edited> => {
      // Two answers among the first, so that what follows is counted from there.
      if (draft === 'draft 5' || draft === 'draft 6') return Promise.resolve({ final: draft.toUpperCase() })
      return Promise.reject(new CallError('server error', 'm: down', { charged: false }))
    })
    const report = await annotateQueue(store, { by, edit })
    // Ten in a row and the one in hand, after the seven before.
    expect(edit.mock.calls.length).toBe(7 + 10 + 1)
    expect(report).toMatchObject({
      ...{ edited: 2, failed: { 'server error': 5 + 11 }, stopped: '11 drafts in a row had no answer: m: down' },
    })
    expect(await store.counts()).toMatchObject({ pending: 98, claimed: 0, done: 2 })
  })

  it('refused requests are told, and do not stop the rest', async () => {
    await store.addItems(Array.from({ length: 30 }, (_, i) => ({ prompt: '', response: `draft ${i}` })))
    const edit = () => Promise.reject(new CallError('refused', 'too long', { charged: false }))
    const report = await annotateQueue(store, { by: { kind: 'model', name: 'm' }, edit })
    expect(report.failed).toEqual({ refused: 30 })
    expect(report).not.toHaveProperty('stopped')
  })

  it('an error that is none of a provider’s comes out once everything in hand is done', async () => {
    await store.addItems(Array.from({ length: 4 }, (_, i) => ({ prompt: '', response: `draft ${i}` })))
    let open = 0
    const edit = async ({ draft }: { draft: string }) => {
      open++
      await sleep(draft === 'draft 0' ? 1 : 30)
      open--
      if (draft === 'draft 0') throw new Error('out of order')
      return { final: `${draft}!` }
    }
    await expect(annotateQueue(store, { by: { kind: 'script', name: 's' }, edit }, { parallel: 2 })).rejects.toThrow(
      'out of order',
    )
    expect(open).toBe(0)
    expect(await store.counts()).toMatchObject({ done: 1, pending: 3, claimed: 0 })
  })

  it('two at once at desks of their own never hold one item, and a desk goes on with what it held', async () => {
    await store.addItems(Array.from({ length: 20 }, (_, i) => ({ prompt: '', response: `draft ${i}` })))
    const by = { kind: 'model', name: 'm' } as const
    const edited: string[] = []
    const edit = async ({ draft }: { draft: string }) => {
      edited.push(draft)
      await sleep(1)
      return { final: `${draft}!` }
    }
    // Killed while it held one.
    await store.claim({ ...by, window: 'a' }, { leaseSeconds: 3600 })
    const both = await Promise.all(['a', 'b'].map(desk => annotateQueue(store, { by, edit }, { desk, parallel: 3 })))
    expect(edited.sort()).toEqual(Array.from({ length: 20 }, (_, i) => `draft ${i}`).sort())
    expect(both[0]!.edited + both[1]!.edited).toBe(20)
    expect(await store.counts()).toMatchObject({ done: 20 })
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

it('what people preferred and what is wrong come from the file to the annotator', async () => {
  const preferences = join(folder, 'preferences.jsonl')
  writeFileSync(preferences, JSON.stringify({ prompt: 'q', chosen: 'better', rejected: 'worse' }))
  await importFile(store, preferences, { queue: true })
  const responses = join(folder, 'responses.jsonl')
  writeFileSync(
    responses,
    ['tone', ['facts', 'tone'], undefined, 7]
      .map((reasons, i) => JSON.stringify({ prompt: `q${i}`, response: 'r', reasons }))
      .join('\n'),
  )
  await importFile(store, responses, { queue: true })
  const { items } = await store.items({ size: 9 })
  expect(items.map(draftOf)).toEqual([
    { prompt: 'q', draft: 'worse', preferred: 'better' },
    { prompt: 'q0', draft: 'r', reasons: ['tone'] },
    { prompt: 'q1', draft: 'r', reasons: ['facts', 'tone'] },
    { prompt: 'q2', draft: 'r' },
    { prompt: 'q3', draft: 'r' },
  ])
})
