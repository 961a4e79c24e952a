import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type Annotator, ClaimError, redactContacts, Store } from './index.js'

let folder: string
let store: Store
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-03-01T12:00:00Z') })
  folder = mkdtempSync(join(tmpdir(), 'emend-store-'))
  store = await Store.open(join(folder, 'emend.db'))
})
afterEach(async () => {
  vi.useRealTimers()
  await store.close()
  rmSync(folder, { recursive: true })
})

const ITEMS = [
  { prompt: 'Where is it?', response: 'It were sent.', preferred: 'It was sent.', source: 'world' },
  { prompt: [{ role: 'user' as const, content: 'Why?' }], response: 'Becaus.' },
  { prompt: '', response: 'مرحبا 👋' },
]

async function all<T>(list: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const one of list) found.push(one)
  return found
}

it('hands out every item once, in order, as it was put in', async () => {
  expect(await store.addItems(ITEMS)).toEqual({ added: 3, known: 0 })
  expect(await store.addItems(ITEMS)).toEqual({ added: 0, known: 3 })
  const first = await store.claim('ada')
  expect(first).toEqual({
    ...ITEMS[0],
    id: expect.stringMatching(/^[0-9a-f]{32}$/),
    status: 'claimed',
    annotator: 'ada',
    leaseUntil: '2026-03-01T12:10:00.000Z',
  })
  expect(await store.claim('bob')).toMatchObject(ITEMS[1]!)
  expect(await store.claim({ name: 'ada', window: '2' })).toMatchObject(ITEMS[2]!)
  expect(await store.claim('ada')).toBeNull()
  expect(await store.counts()).toEqual({ pending: 0, claimed: 3, done: 0, discarded: 0, skipped: 0 })
})

it('an edit: stored with its operations, and the same when it is submitted again', async () => {
  await store.addItems(ITEMS)
  const { id } = (await store.claim('ada'))!
  const edit = await store.submit(id, 'ada', { final: 'It was sent.', reasons: ['grammar'], seconds: 4.5 })
  expect(edit).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{32}$/),
    prompt: 'Where is it?',
    draft: 'It were sent.',
    final: 'It was sent.',
    ops: [{ op: 'replace', draft: [3, 7], final: [3, 6] }],
    by: { kind: 'person', name: 'ada' },
    at: '2026-03-01T12:00:00.000Z',
    reasons: ['grammar'],
    seconds: 4.5,
  })
  expect(await store.submit(id, 'ada', { final: 'It was sent.' })).toEqual(edit)
  expect(await all(store.edits())).toEqual([edit])
  expect(await store.item(id)).toMatchObject({ status: 'done', annotator: 'ada', edit: edit.id })
})

it('refuses what is no edit, and what is somebody else’s', async () => {
  await store.addItems(ITEMS)
  const { id } = (await store.claim('ada'))!
  await expect(store.submit(id, 'ada', { final: ' \n' })).rejects.toThrow('the final text is empty')
  await expect(store.submit(id, 'ada', { final: 'It were sent.' })).rejects.toThrow('the final text is the draft')
  await expect(store.submit(id, 'bob', { final: 'Mine.' })).rejects.toThrow(ClaimError)
  await expect(store.submit(id, { name: 'ada', window: '2' }, { final: 'Mine.' })).rejects.toThrow('another window')
  await expect(store.discard(id, 'bob', { why: 'no-edit-needed' })).rejects.toThrow('claimed by ada')
  await expect(store.skip(id, 'bob')).rejects.toThrow('claimed by ada')
  await expect(store.renew(id, 'bob')).rejects.toThrow('claimed by ada')
  await expect(store.submit('nope', 'ada', { final: 'x' })).rejects.toThrow('item nope: not in the store')
  expect(await store.claim('bob', { item: id })).toBeNull()
  await store.release(id, 'bob')
  expect((await store.item(id)).annotator).toBe('ada')
})

it('a lease that runs out frees the item; until another takes it, it can still be submitted', async () => {
  await store.addItems(ITEMS.slice(0, 1))
  const { id } = (await store.claim('ada', { leaseSeconds: 60 }))!
  await store.saveDraft(id, 'ada', 'It was')
  vi.setSystemTime(new Date('2026-03-01T12:10:01Z'))
  expect(await store.counts()).toMatchObject({ pending: 1, claimed: 0 })
  expect((await store.items({ status: 'pending' })).total).toBe(1)
  await store.renew(id, 'ada', 60)
  expect(await store.counts()).toMatchObject({ claimed: 1 })
  vi.setSystemTime(new Date('2026-03-01T12:12:00Z'))
  expect((await store.claim('bob'))!.draft).toBeUndefined()
  await store.saveDraft(id, 'ada', 'It was sent, I say.')
  await expect(store.submit(id, 'ada', { final: 'It was sent.' })).rejects.toThrow('claimed by bob')
  await store.release(id, 'bob')
  expect(await store.claim('ada', { item: id })).toMatchObject({ draft: 'It was sent, I say.', status: 'claimed' })
})

it('a window that slept goes on with its item only if no other window of the same person took it', async () => {
  await store.addItems(ITEMS.slice(0, 1))
  const [one, two] = ['1', '2'].map(window => ({ name: 'ada', window })) as [Annotator, Annotator]
  const { id } = (await store.claim(one, { leaseSeconds: 60 }))!
  vi.setSystemTime(new Date('2026-03-01T12:01:01Z'))
  // Ends leases, as every claim does.
  expect(await store.undo(two)).toBeNull()
  await expect(store.renew(id, two)).rejects.toThrow(ClaimError)
  await store.renew(id, one, 60)
  vi.setSystemTime(new Date('2026-03-01T12:03:00Z'))
  await store.claim(two, { item: id })
  const edit = await store.submit(id, two, { final: 'It was sent.' })
  for (const late of [
    store.submit(id, one, { final: 'Mine.' }),
    store.discard(id, one, { why: 'no-edit-needed' }),
    store.renew(id, one),
  ])
    await expect(late).rejects.toThrow(`item ${id}: done, and not claimed by ada; claim it first`)
  expect(await all(store.edits())).toEqual([edit])
  expect(await store.item(id)).toMatchObject({ status: 'done', edit: edit.id })
  // Sent again, a skip of what has an edit is no second one.
  await store.claim(two, { item: id })
  await store.skip(id, two)
  await store.skip(id, two)
  expect(await store.undo(two)).toMatchObject({ edit: edit.id, status: 'claimed' })
  expect(await store.undo(two)).toMatchObject({ draft: 'It was sent.' })
})

it('a revision supersedes, undo brings back', async () => {
  await store.addItems(ITEMS.slice(0, 1))
  const { id } = (await store.claim('ada'))!
  const first = await store.submit(id, 'ada', { final: 'It was sent.' })
  await store.claim('bob', { item: id })
  const second = await store.submit(id, 'bob', { final: 'It was sent off.' })
  expect(await all(store.edits())).toEqual([second])
  expect(await store.edit(first.id)).toEqual(first)
  expect(await store.undo('ada')).toBeNull()
  expect(await store.undo('bob')).toMatchObject({ id, status: 'claimed', draft: 'It was sent off.', edit: first.id })
  expect(await all(store.edits())).toEqual([first])
  await store.release(id, 'bob')
  expect(await store.counts()).toMatchObject({ done: 1 })
  // Made again, the edit is what it was.
  await store.claim('bob', { item: id })
  expect((await store.submit(id, 'bob', { final: 'It was sent off.' })).id).toBe(second.id)
  expect(await all(store.edits())).toHaveLength(1)
})

it('an undo brings back each text that was submitted, but not over one that was typed since', async () => {
  await store.addItems(ITEMS.slice(0, 1))
  let minute = 0
  const tick = () => vi.setSystemTime(new Date(`2026-03-01T12:0${++minute}:00Z`))
  const { id } = (await store.claim('ada'))!
  for (const final of ['It was sent.', 'It was sent off.']) {
    tick()
    await store.claim('ada', { item: id })
    await store.saveDraft(id, 'ada', final.slice(0, 6))
    tick()
    await store.submit(id, 'ada', { final })
  }
  tick()
  expect(await store.undo('ada')).toMatchObject({ draft: 'It was sent off.' })
  tick()
  expect(await store.undo('ada')).toMatchObject({ draft: 'It was sent.' })
  await store.submit(id, 'ada', { final: 'It was sent.' })
  tick()
  await store.claim('ada', { item: id })
  await store.saveDraft(id, 'ada', 'It was sent on Monday.')
  expect(await store.undo('ada')).toMatchObject({ draft: 'It was sent on Monday.' })
})

it('an undo is not in the way of who only looked at the item, but of who holds or has decided it', async () => {
  await store.addItems(ITEMS.slice(0, 1))
  const { id } = (await store.claim('ada'))!
  const edit = await store.submit(id, 'ada', { final: 'It was sent.' })
  await store.claim('bob', { item: id })
  expect(await store.undo('ada')).toBeNull()
  await store.release(id, 'bob')
  expect(await store.undo('ada')).toMatchObject({ id, status: 'claimed', annotator: 'ada', draft: 'It was sent.' })
  expect(await store.submit(id, 'ada', { final: 'It was sent.' })).toEqual(edit)
  await store.claim('bob', { item: id })
  await store.discard(id, 'bob', { why: 'cannot-be-fixed' })
  expect(await store.undo('ada')).toBeNull()
  expect(await store.undo('bob')).toMatchObject({ id, edit: edit.id })
  await store.release(id, 'bob')
  expect(await store.undo('ada')).toMatchObject({ id, annotator: 'ada' })
})

it('discards, skips, and takes both back', async () => {
  await store.addItems(ITEMS)
  const [one, two] = [(await store.claim('ada'))!, (await store.claim('ada'))!]
  await store.discard(one.id, 'ada', { why: 'cannot-be-fixed', reason: 'nonsense' })
  await store.discard(one.id, 'ada', { why: 'cannot-be-fixed' })
  await store.skip(two.id, 'ada')
  await store.skip(two.id, 'ada')
  expect(await store.counts()).toEqual({ pending: 1, claimed: 0, done: 0, discarded: 1, skipped: 1 })
  expect((await store.items({ status: 'discarded' })).items).toMatchObject([
    { id: one.id, why: 'cannot-be-fixed', reason: 'nonsense' },
  ])
  expect((await store.claim('ada'))!.id).not.toBe(two.id)
  expect((await store.undo('ada'))!.id).toBe(two.id)
  expect(await store.undo('ada')).toMatchObject({ id: one.id, status: 'claimed' })
  expect(await store.undo('ada')).toBeNull()
  expect(await all(store.edits())).toEqual([])
})

it('redacts before it stores, and drops the token ids that spell what was redacted', async () => {
  await using other = await Store.open(join(folder, 'redacted.db'), { redact: redactContacts })
  const sampled = { ids: [1], tokenizer: 't', ended: true, model: 'm' }
  await other.addItems([{ prompt: 'I am ada@example.org', response: 'Call +49 30 1234567, thx', sampled }])
  const item = (await other.claim('bob'))!
  expect(item).toMatchObject({ prompt: 'I am [e-mail]', response: 'Call [phone], thx' })
  expect(item.sampled).toBeUndefined()
  const edit = await other.submit(item.id, 'bob', { final: 'Call [phone] or bob@x.de, thanks' })
  expect(edit.final).toBe('Call [phone] or [e-mail], thanks')
})

it.each([
  ['ada.l+x@mail.example.co.uk', '[e-mail]'],
  ['josé@exämple.de!', '[e-mail]!'],
  ['+1 (415) 555-2671', '[phone]'],
  ['(415) 555-2671', '[phone]'],
  ['415-555-2671', '[phone]'],
  ['+4930123456789', '[phone]'],
  ['0170 1234567', '[phone]'],
  ['030/1234567, 06 12 34 56 78', '[phone], [phone]'],
  ['07700 900123.', '[phone].'],
  ['01/02/2023 10:30, 01.02.2023 10:30, 0.5 1234567', '01/02/2023 10:30, 01.02.2023 10:30, 0.5 1234567'],
  ['order 1234567890', 'order 1234567890'],
  ['2019-2024, 1.234.567,00 €', '2019-2024, 1.234.567,00 €'],
  ['user@host', 'user@host'],
])('redacts %s as %s', (text, expected) => {
  expect(redactContacts({ deep: [{ text }], n: 1, none: null })).toEqual({
    deep: [{ text: expected }],
    n: 1,
    none: null,
  })
})
