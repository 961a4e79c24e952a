/** What formats say they carry is what survives in what they write, and docs/formats.md says the same. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Tokenizer } from '../../text/tokenizer.js'
import { trainTokenizer } from '../../text/train.js'
import { type Entry, type EntryField, fieldsOf, type Kind } from './entry.js'
import { type Fields, type Format, formats } from './index.js'

const page = readFileSync(fileURLToPath(new URL('../../../../../docs/formats.md', import.meta.url)), 'utf8')

let tokenizer: Tokenizer
beforeAll(async () => {
  tokenizer = await trainTokenizer(['DRAFT one', 'FINAL one'], { vocabSize: 300 })
})

/** Entries that hold everything, each piece by a text that stands nowhere else. */
const full: Record<Kind, Entry> = {
  edit: {
    kind: 'edit',
    prompt: 'PROMPT',
    draft: 'DRAFT one',
    final: 'FINAL one',
    preferred: 'PREFERRED',
    reasons: ['REASON'],
    by: { kind: 'person', name: 'ANNOTATOR' },
    at: '2001-02-03T04:05:06.000Z',
    seconds: 98.25,
    // Not what a comparison would find: these were recorded.
    ops: [{ op: 'replace', draft: [0, 7], final: [0, 7] }],
    sampled: { ids: [424242], tokenizer: 't', ended: true, model: 'SAMPLER' },
    rest: { unknown: 'REST' },
  },
  preference: {
    kind: 'preference',
    prompt: 'PROMPT',
    first: 'FIRST',
    second: 'SECOND',
    preference: 1.375,
    by: { kind: 'model', name: 'ANNOTATOR' },
    rest: { unknown: 'REST' },
  },
  response: {
    kind: 'response',
    prompt: 'PROMPT',
    response: 'RESPONSE',
    generator: 'GENERATOR',
    rest: { unknown: 'REST' },
  },
}

/** How a field is known again in a record, as JSON. */
const signs: Record<EntryField, readonly string[]> = {
  prompt: ['PROMPT'],
  chat: ['TURN A', 'TURN B', 'TURN C'],
  draft: ['DRAFT one'],
  final: ['FINAL one'],
  preferred: ['PREFERRED'],
  reasons: ['REASON'],
  by: ['ANNOTATOR'],
  at: ['2001-02-03T04:05:06.000Z'],
  seconds: ['98.25'],
  ops: ['"draft":[0,7],"final":[0,7]'],
  sampled: ['424242', 'SAMPLER'],
  rest: ['REST'],
  responses: ['FIRST', 'SECOND'],
  strength: ['1.375'],
  response: ['RESPONSE'],
  generator: ['GENERATOR'],
}

const turns = ['TURN A', 'TURN B', 'TURN C'].map((content, i) => ({
  role: i % 2 ? ('assistant' as const) : ('user' as const),
  content,
}))

async function written(format: Format, entry: Entry): Promise<Fields | string> {
  if (format.write) return format.write(entry, {})
  async function* one() {
    yield entry
  }
  for await (const record of format.writeAll!(one(), { tokenizer })) return record
  return 'nothing'
}

/** Whether the format reads what it writes of an entry as one of the same kind. */
async function readsBack(format: Format, entry: Entry): Promise<boolean> {
  const fields = await written(format, entry)
  if (typeof fields === 'string' || !format.read) return false
  const read = format.read({ file: 'f', line: 1, fields }, {})
  return typeof read !== 'string' && 'kind' in read && read.kind === entry.kind
}

const writable = formats.filter(format => format.write || format.writeAll)
const cases = writable.flatMap(format => (Object.keys(format.carries) as Kind[]).map(kind => [format, kind] as const))

describe('carries is what survives', () => {
  it.each(cases.map(([format, kind]) => [format.name, kind, format] as const))('%s, %s', async (_, kind, format) => {
    // An export hands on unknown fields only to the format that they came in.
    const { rest: __, ...bare } = full[kind]
    const whole = (await readsBack(format, bare as Entry)) ? full[kind] : (bare as Entry)
    const survived: EntryField[] = []
    for (const field of fieldsOf[kind]) {
      const entry = field === 'chat' ? { ...whole, prompt: turns } : whole
      const record = await written(format, entry)
      if (typeof record !== 'string' && signs[field].every(sign => JSON.stringify(record).includes(sign)))
        survived.push(field)
    }
    expect(new Set(survived)).toEqual(new Set(format.carries[kind]))
  })

  it('a kind that is not carried is refused', async () => {
    for (const format of writable)
      for (const kind of Object.keys(full) as Kind[])
        if (!format.carries[kind] && format.write) expect(typeof format.write(full[kind], {})).toBe('string')
  })
})

/** A table of Markdown. */
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map((_, i) => (i === 0 ? '---' : ':-:')), ...rows].map(row => `| ${row.join(' | ')} |`).join('\n')

const code = (name: string) => `\`${name}\``

describe('docs/formats.md', () => {
  it('names every format, whether it is read and written, and what it is', () => {
    const rows = formats.map(({ name, about, container, read, write, writeAll }) => [
      ...[code(name), read ? '✓' : '', write || writeAll || name === 'rl-logging-board' ? '✓' : '', container],
      about.replaceAll('|', '\\|'),
    ])
    expect(page).toContain(table(['format', 'read', 'written', 'usually', 'what'], rows))
  })

  it.each(Object.keys(fieldsOf) as Kind[])('says which fields of an entry of kind %s survive', kind => {
    const rows = writable
      .filter(format => format.carries[kind])
      .map(format => [
        code(format.name),
        ...fieldsOf[kind].map(field => ((format.carries[kind] as readonly string[]).includes(field) ? '✓' : '')),
      ])
    expect(page).toContain(table(['', ...fieldsOf[kind].map(code)], rows))
  })
})
