/** Records that cannot be read: the error names file, line and field; they stop the import, or are set aside and counted. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DataError } from '../../errors.js'
import { redactContacts, Store } from '../store/index.js'
import { type ImportOptions, importFile } from './import.js'
import { formats } from './index.js'

const goldens = fileURLToPath(new URL('../../../goldens/formats', import.meta.url))
let folder: string
let store: Store
let n = 0
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'emend-malformed-'))
  store = await Store.open(join(folder, 'emend.db'))
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true })
})

function write(content: string | Uint8Array, end = '.jsonl'): string {
  const path = join(folder, `${n++}${end}`)
  writeFileSync(path, content)
  return path
}

/** Imports text; the message of the error without the folder. */
async function refused(content: string | Uint8Array, options: ImportOptions = {}, end = '.jsonl'): Promise<string> {
  const path = write(content, end)
  const error = await importFile(store, path, options).then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(DataError)
  return (error as DataError).message.replace(path, 'f')
}

const turn = (role: string, content: unknown) => ({ role, content })
const dialogue = '\n\nHuman: a\n\nAssistant: b'

it.each([
  ['trl-preference', { prompt: 'a', chosen: 'b' }, 'f:1: rejected: missing: the record has prompt, chosen'],
  ['trl-preference', { prompt: 'a', chosen: 1, rejected: 'b' }, 'f:1: chosen: expected text, got number 1'],
  ['trl-preference', { prompt: 5, chosen: 'a', rejected: 'b' }, 'f:1: prompt: expected text or turns'],
  [
    'trl-preference',
    { prompt: [turn('user', 'a')], chosen: [turn('user', 'b')], rejected: [turn('assistant', 'c')] },
    'f:1: chosen: expected one message of the assistant after the prompt, got user',
  ],
  ['trl-preference', { prompt: [turn('tool', 'a')], chosen: [], rejected: [] }, 'f:1: prompt: expected text or turns'],
  ['trl-preference-implicit', { chosen: [turn('user', 'a')] }, 'f:1: rejected: missing'],
  ['ultrafeedback', { prompt: 'a', chosen: 'b', rejected: [] }, 'f:1: chosen: expected turns of {role, content}'],
  ['alpacafarm-preference', { instruction: 'a', output_1: 'b' }, 'f:1: output_2: missing'],
  [
    'alpacafarm-preference',
    { instruction: 'a', input: '', output_1: 'b', output_2: 'c', preference: 3 },
    'f:1: preference: expected null, 0 or a number in [1, 2], got number 3',
  ],
  ['alpacaeval-outputs', { instruction: 'a', output: 'b' }, 'f:1: generator: missing'],
  ['alpacaeval-annotations', { instruction: 'a', output_1: 'b', output_2: 'c' }, 'f:1: preference: missing'],
  ['alpaca', { instruction: 'a', output: null }, 'f:1: output: expected text, got null'],
  ['hh-rlhf', { chosen: 'a', rejected: dialogue }, 'f:1: chosen: expected a dialogue of'],
  [
    'hh-rlhf',
    { chosen: dialogue, rejected: '\n\nHuman: other\n\nAssistant: b' },
    'f:1: rejected: expected the dialogue of chosen up to the last answer',
  ],
  ['figa', { input: 'a', original_output: 'b' }, 'f:1: revised_output: missing'],
  ['draft-final', { draft: 'a', final: ['b'] }, 'f:1: final: expected text, got an array of 1'],
  ['draft-final', { draft: 'a', final: 'b', reasons: [1] }, 'f:1: reasons: expected text or a list of texts'],
  [
    'draft-final',
    { draft: 'a', final: 'b', at: '2024-01-05 10:00' },
    'f:1: at: expected ISO 8601 with its zone, such as 2024-01-05T10:00:00Z, got string "2024-01-05 10:00"',
  ],
  ['draft-final', { draft: 'a', final: 'b', at: '2024-01-05T10:00:00' }, 'f:1: at: expected ISO 8601 with its zone'],
  ['responses', { response: 'a' }, 'f:1: prompt: missing'],
  [
    'emend',
    { id: 'x', prompt: '', draft: 'a', final: 'b', ops: [], by: { kind: 'robot', name: 'x' }, at: 'now' },
    'f:1: by.kind: invalid option: expected one of',
  ],
  ['nemo-rl', { context: [turn('user', 'a')], completions: [{ rank: 0 }] }, 'f:1: completions: expected a list of at'],
  [
    'nemo-rl',
    { context: [turn('user', 'a')], completions: [{ rank: 'x', completion: [] }, {}] },
    'f:1: rank: expected a number, got string "x"',
  ],
  [
    'langfuse',
    { input: 'a', output: 7, scores: [{ dataType: 'CORRECTION', value: 'b' }] },
    'f:1: output: expected text or a message of {role, content: text}, got number 7',
  ],
  [
    'langfuse',
    {
      input: 'a',
      output: { content: [{ type: 'text', text: 'b' }] },
      scores: [{ dataType: 'CORRECTION', value: 'b' }],
    },
    'f:1: output: content in parts; join their texts into one, and leave out what has no text',
  ],
  [
    'langfuse',
    {
      input: { messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }] }] },
      ...{ output: 'b', scores: [{ dataType: 'CORRECTION', value: 'b' }] },
    },
    'f:1: input: content in parts; join the texts of a turn into one, and leave out what has no text',
  ],
  [
    'langfuse',
    { input: 'a', output: 'b', scores: [{ dataType: 'CORRECTION', value: 'b', timestamp: '5 January' }] },
    'f:1: timestamp: expected ISO 8601 with its zone, such as 2024-01-05T10:00:00Z, got string "5 January"',
  ],
  [
    'langfuse',
    { input: 'a', output: 'b', scores: [{ dataType: 'CORRECTION', value: 'b', observationId: 'o' }] },
    'f:1: observations: expected the observation o that was corrected, got nothing',
  ],
])('%s: %j', async (format, record, expected) => {
  expect(await refused(JSON.stringify(record), { format })).toContain(expected)
})

describe('a field that is not there, or is something else, in the second record of a file that is told by its first', () => {
  const sides = {
    chosen: [turn('user', 'a'), turn('assistant', 'b')],
    rejected: [turn('user', 'a'), turn('assistant', 'c')],
  }
  const outputs = { instruction: 'a', output_1: 'b', output_2: 'c', preference: 1 }
  const edit = { id: 'x', prompt: '', draft: 'a', final: 'b', ops: [{ op: 'replace', draft: [0, 1], final: [0, 1] }] }
  const required: Record<string, [record: Record<string, unknown>, fields: string[]]> = {
    'trl-preference': [{ prompt: 'a', chosen: 'b', rejected: 'c' }, ['prompt', 'chosen', 'rejected']],
    'trl-preference-implicit': [{ chosen: 'a b', rejected: 'a c' }, ['chosen', 'rejected']],
    ultrafeedback: [{ prompt: 'a', ...sides }, ['prompt', 'chosen', 'rejected']],
    'alpacafarm-preference': [{ ...outputs, input: '' }, Object.keys(outputs)],
    'alpacaeval-annotations': [{ ...outputs, annotator: 'm' }, Object.keys(outputs)],
    'alpacaeval-outputs': [{ instruction: 'a', output: 'b', generator: 'm' }, ['instruction', 'output', 'generator']],
    alpaca: [{ instruction: 'a', output: 'b' }, ['instruction', 'output']],
    'hh-rlhf': [{ chosen: dialogue, rejected: dialogue }, ['chosen', 'rejected']],
    figa: [{ input: 'a', original_output: 'b', revised_output: 'c' }, ['input', 'original_output', 'revised_output']],
    'draft-final': [{ draft: 'a', final: 'b' }, ['draft', 'final']],
    responses: [{ prompt: 'a' }, ['prompt']],
    emend: [
      { ...edit, by: { kind: 'person', name: 'a' }, at: '2026-01-02T03:04:05Z' },
      [...Object.keys(edit), 'by', 'at'],
    ],
    'nemo-rl': [
      {
        context: [turn('user', 'a')],
        completions: [0, 1].map(rank => ({ rank, completion: [turn('assistant', `${rank}`)] })),
      },
      ['context', 'completions'],
    ],
    langfuse: [
      { input: 'a', output: 'b', scores: [{ dataType: 'CORRECTION', value: 'c' }] },
      ['input', 'output', 'scores'],
    ],
  }

  it('every format that is read has its row', () => {
    expect(Object.keys(required).sort()).toEqual(formats.flatMap(({ name, read }) => (read ? [name] : [])).sort())
  })

  const cases = Object.entries(required).flatMap(([format, [record, fields]]) =>
    fields.map(field => [format, field, record] as const),
  )
  it.each(cases)('%s: %s', async (format, field, record) => {
    const { [field]: _, ...less } = record
    const lines = (second: object) => `${JSON.stringify(record)}\n${JSON.stringify(second)}\n`
    expect(await refused(lines({ ...less, more: 1 }))).toMatch(new RegExp(`^f:2: ${field}: missing`))
    const wrong = await refused(lines({ ...record, [field]: {} }))
    const told =
      format === 'emend' && field !== 'prompt' ? 'invalid .*expected' : 'expected .*, got an object with no fields'
    expect(wrong).toMatch(new RegExp(`^f:2: ${field}[\\w.]*: ${told}`))
  })
})

describe('files', () => {
  const good = '{"draft":"a","final":"b"}\n'
  it.each([
    ['broken JSON', `${good}{"draft":`, '.jsonl', 'f:2: column 10: broken JSON: expected a value, got the end'],
    ['no object', `${good}[1]`, '.jsonl', 'f:2: expected an object of fields, got an array of 1'],
    ['an array cut off', '[{"draft":"a","final":"b"},{"dra', '.json', 'f:1: ends inside record 2: the file is cut off'],
    ['a broken element', '[{"draft":"a","final":"b"},\n{"draft":}]', '.json', 'f:2: column 10: broken JSON'],
    ['a trailing comma', '[{"draft":"a","final":"b"},]', '.json', 'f:1: no record'],
    ['text after an array', '[{"draft":"a","final":"b"}]{}', '.json', 'f:1: goes on after the array'],
    ['a short row', 'draft,final\na,b\nc\n', '.csv', 'f:3: has 1 values, the header 2 columns'],
    ['an open quote', 'draft,final\na,b\n"c,d\n', '.csv', 'broken CSV: Quote Not Closed'],
    ['a column twice', 'draft,draft\na,b\n', '.csv', 'f:1: the header has the column "draft" twice'],
    ['columns without a name', 'draft,final,,\na,b,,\n', '.csv', 'f:1: the header has several columns without a name'],
    ['Excel’s first line', 'sep=;\ndraft;final\na;b\n', '.csv', 'f:1: "sep=" of Excel stands where the header should;'],
    [
      'Excel’s first line',
      'sep=|\ndraft|final\na|b\n',
      '.csv',
      'f:1: "sep=|" of Excel stands where the header should;',
    ],
    ['no table', 'just a text\n', '.txt', 'f:1: expected JSON, Parquet, or CSV with a header'],
    ['Parquet cut off', 'PAR1 and no more', '.parquet', 'f: damaged Parquet data'],
    ['a store', 'SQLite format 3\0', '.db', 'f: an SQLite file, not a file of records'],
    ['nothing', '', '.jsonl', 'f: no records: expected objects of fields'],
    ['unknown fields', '{"a":1,"b":2}', '.jsonl', 'f: no known format has records of a, b; name it with --format'],
  ])('%s', async (_, content, end, expected) => {
    expect(await refused(content, {}, end)).toContain(expected)
  })

  it.each([
    ['JSON Lines', Buffer.from('{"draft":"a","final":"\xff"}\n', 'latin1'), '.jsonl', 'f:1: the line is not UTF-8'],
    ['JSON', Buffer.from('[\n{"draft":"a","final":"\xff"}]', 'latin1'), '.json', 'f:2: not UTF-8 from this line on'],
    ['CSV', Buffer.from('draft,final\na,\xff\n', 'latin1'), '.csv', 'f:2: not UTF-8 from this line on'],
    ['UTF-16', Buffer.from('\ufeffdraft,final\na,b\n', 'utf16le'), '.csv', 'f: UTF-16, expected UTF-8'],
    ['UTF-16', Buffer.from(good, 'utf16le'), '.jsonl', 'f:1: '],
    ['gzip cut off', gzipSync(good.repeat(1000)).subarray(0, 40), '.jsonl.gz', 'f: broken gzip data'],
    ['no gzip at all', Buffer.from(good), '.jsonl.gz', 'f: broken gzip data'],
  ])('%s that is not what it should be', async (_, content, end, expected) => {
    expect(await refused(content, {}, end)).toContain(expected)
  })

  it('gzip is told by content, whatever the file is called', async () => {
    expect(await importFile(store, write(gzipSync('{"draft":"gz","final":"b"}\n')))).toMatchObject({ added: 1 })
  })
})

describe('bad records', () => {
  const lines = ['{"draft":"k1","final":"b"}', '{"draft":1,"final":"b"}', 'broken', '{"draft":"k2","final":"b"}']

  it('stop the import; what was read before is stored, and known when it is mended', async () => {
    const other = await Store.open(join(folder, 'stop.db'))
    const file = write(lines.join('\n'))
    await expect(importFile(other, file)).rejects.toThrow(`${file}:2: draft: expected text, got number 1`)
    const mended = write([lines[0], lines[3]].join('\n'))
    expect(await importFile(other, mended)).toMatchObject({ read: 2, added: 1, known: 1 })
    await other.close()
  })

  it('or are set aside with what was wrong, redacted as everything is', async () => {
    const file = write([...lines, '{"draft":["ada@example.org"],"final":"b"}'].join('\n'))
    const report = await importFile(store, file, { onBad: 'reject', redact: redactContacts })
    expect(report).toMatchObject({ read: 5, added: 2, rejected: 3 })
    const rejects = readFileSync(`${file}.rejects.jsonl`, 'utf8').trimEnd().split('\n')
    expect(rejects.map(line => JSON.parse(line) as unknown)).toEqual([
      {
        file,
        line: 2,
        error: `${file}:2: draft: expected text, got number 1`,
        record: { draft: 1, final: 'b' },
      },
      { file, line: 3, error: expect.stringContaining(`${file}:3: column 1: broken JSON`) },
      {
        file,
        line: 5,
        error: expect.stringContaining('got an array of 1'),
        record: { draft: ['[e-mail]'], final: 'b' },
      },
    ])
  })

  it('a redaction may keep a record out', async () => {
    const file = write('{"draft":"secret","final":"b"}\n{"draft":"open","final":"b"}')
    const redact = (record: Readonly<Record<string, unknown>>) => (record['draft'] === 'secret' ? undefined : record)
    expect(await importFile(store, file, { redact })).toMatchObject({ read: 2, added: 1, setAside: { redacted: 1 } })
  })

  it('lone surrogates are replaced and counted', async () => {
    const file = write('{"draft":"x\\ud800y","final":"\\udc00\\udc00"}')
    expect(await importFile(store, file)).toMatchObject({ added: 1, repaired: 3 })
  })
})

it('a redaction that fails ends the import with the place, whatever becomes of bad records', async () => {
  const redact = () => {
    throw new Error('boom')
  }
  const file = write(Buffer.from('{"draft":"a","final":"b"}\n'), '.jsonl')
  await expect(importFile(store, file, { redact, onBad: 'reject' })).rejects.toThrow(
    `${file}:1: the redaction failed: boom`,
  )
})

it('whatever is done to a file, the import ends well or with one clear line, never with a crash', async () => {
  const names = ['trl-preference.jsonl', 'hh-rlhf.jsonl.gz', 'figa.json', 'replies.csv', 'trl-conversational.parquet']
  const originals = names.map(name => readFileSync(join(goldens, name)))
  originals.push(gunzipSync(originals[1]!))
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...originals),
      fc.nat(10_000),
      fc.array(fc.tuple(fc.nat(10_000), fc.nat(255)), { maxLength: 4 }),
      async (original, cut, changes) => {
        const bytes = Buffer.from(original.subarray(0, original.length - (cut % original.length)))
        for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value
        const file = write(bytes, '.bin')
        const report = await importFile(store, file, { onBad: 'reject' }).catch((error: unknown) => {
          expect(error).toBeInstanceOf(DataError)
          expect((error as DataError).message).not.toContain('\n')
          return undefined
        })
        if (!report) return
        const aside = Object.values(report.setAside).reduce((a, b) => a + b, 0)
        expect(report.read).toBe(report.added + report.known + report.rejected + aside)
      },
    ),
    { numRuns: 150 },
  )
}, 60_000)
