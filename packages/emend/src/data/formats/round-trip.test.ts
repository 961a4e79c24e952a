/** Import → export in the same format gives back what came in; across formats what survives is what the table says. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Edit, makeEdit } from '@emend/edits'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canonicalJson } from '../store/identity.js'
import { redactContacts, Store } from '../store/index.js'
import { openRows } from './containers/container.js'
import { exportStore } from './export.js'
import { type ImportOptions, importFile } from './import.js'
import { formats } from './index.js'

const goldens = fileURLToPath(new URL('../../../goldens/formats', import.meta.url))
let folder: string
let n = 0
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-formats-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** A store with these files in it. */
async function storeOf(files: readonly string[], options: ImportOptions = {}) {
  const store = await Store.open(join(folder, `${n++}.db`))
  const reports = []
  for (const file of files) reports.push(await importFile(store, file, options))
  return { store, reports }
}

async function records(path: string): Promise<unknown[]> {
  const { rows } = await openRows(path)
  const found: unknown[] = []
  for await (const row of rows) {
    if ('error' in row) throw row.error
    found.push(row.value)
  }
  return found
}

const canonical = (values: readonly unknown[]) => values.map(canonicalJson)

describe('the same format', () => {
  it.each([
    ['trl-preference.jsonl', 'trl-preference', 6],
    ['trl-preference-implicit.jsonl', 'trl-preference-implicit', 5],
    ['alpacafarm-preference.json', 'alpacafarm-preference', 3],
    ['alpacaeval-outputs.json', 'alpacaeval-outputs', 2],
    ['alpacaeval-annotations.json', 'alpacaeval-annotations', 3],
    ['hh-rlhf.jsonl.gz', 'hh-rlhf', 3],
    ['figa.json', 'figa', 3],
    ['draft-final.jsonl', 'draft-final', 4],
    ['iterater.jsonl', 'draft-final', 2],
    ['responses.jsonl', 'responses', 4],
    ['emend.jsonl', 'emend', 2],
    ['trl-conversational.parquet', 'trl-preference', 3],
    ['draft-final.parquet', 'draft-final', 2],
  ])('%s is told to be %s and comes back equal, in order', async (name, format, count) => {
    const file = join(goldens, name)
    const { store, reports } = await storeOf([file])
    expect(reports).toMatchObject([{ format, read: count, added: count, known: 0, setAside: {} }])
    const out = join(folder, `${n}-${name}`)
    expect(await exportStore(store, out, { format })).toEqual({ format, written: count, leftOut: {}, dropped: {} })
    expect(canonical(await records(out))).toEqual(canonical(await records(file)))
    expect((await openRows(out)).shape).toEqual((await openRows(file)).shape)
    // Twice changes nothing.
    expect(await importFile(store, file)).toMatchObject({ read: count, added: 0, known: count })
    expect(await exportStore(store, out, { format })).toMatchObject({ written: count })
    await store.close()
  })

  it('a CSV comes back byte for byte, with its own columns and delimiter', async () => {
    const file = join(goldens, 'replies.csv')
    const { store } = await storeOf([file])
    const out = join(folder, 'replies.csv')
    await exportStore(store, out, { format: 'draft-final' })
    expect(readFileSync(out, 'utf8').replaceAll('\n', '\r\n').replaceAll('were\r\n', 'were\n')).toBe(
      readFileSync(file, 'utf8'),
    )
    await store.close()
  })

  it('a table of pandas, whose first column has no name', async () => {
    const file = join(folder, 'pandas.csv')
    writeFileSync(file, ',draft,final\n0,It were.,It was.\n1,Becaus.,Because.\n')
    const { store, reports } = await storeOf([file])
    expect(reports).toMatchObject([{ format: 'draft-final', added: 2 }])
    const out = join(folder, 'pandas-again.csv')
    await exportStore(store, out, { format: 'draft-final' })
    expect(readFileSync(out, 'utf8')).toBe(readFileSync(file, 'utf8'))
    await store.close()
  })

  it('a time that is empty is none; what was imported is exported as records that are imported again', async () => {
    const file = join(folder, 'times.csv')
    writeFileSync(file, 'draft,final,at\na,b,\nc,d,2024-01-05T10:00:00+01:00\n')
    const { store } = await storeOf([file])
    const times = []
    for await (const { at } of store.edits()) times.push(at)
    expect(times).toEqual(['1970-01-01T00:00:00Z', '2024-01-05T10:00:00+01:00'])
    const [same, own] = [join(folder, 'times-again.csv'), join(folder, 'times.jsonl')]
    await exportStore(store, same, { format: 'draft-final' })
    expect(readFileSync(same, 'utf8')).toBe(readFileSync(file, 'utf8'))
    await exportStore(store, own, { format: 'emend' })
    const { store: again, reports } = await storeOf([own])
    expect(reports).toMatchObject([{ format: 'emend', added: 2, rejected: 0 }])
    await store.close()
    await again.close()
  })

  it('a redaction leaves no token ids that spell what it took out, and operations that fit what it left', async () => {
    const sampled = { ids: [7, 8], tokenizer: 't', ended: true, model: 'm' }
    const by = { kind: 'person' as const, name: 'ada' }
    const file = join(folder, 'private.jsonl')
    const sides = [
      ['It were a@example.org.', 'It was a@example.org.'],
      ['a@example.org it were.', 'a@example.org it was.'],
      ['It were here.', 'It was a@example.org.'],
      ['It were.', 'It was.'],
    ] as const
    const made = sides.map(([draft, final]) => makeEdit({ draft, final, by, sampled, at: '2026-01-02T03:04:05Z' }).edit)
    writeFileSync(file, made.map(edit => `${JSON.stringify(edit)}\n`).join(''))
    const { store, reports } = await storeOf([file], { redact: redactContacts })
    expect(reports).toMatchObject([{ format: 'emend', added: 4, rejected: 0 }])
    const out = join(folder, 'private-again.jsonl')
    await exportStore(store, out, { format: 'emend' })
    const [after, ahead, inFinal, none] = (await records(out)) as Edit[]
    expect(after).toMatchObject({ draft: 'It were [e-mail].', ops: [{ op: 'replace', draft: [3, 7], final: [3, 6] }] })
    expect(ahead).toMatchObject({
      draft: '[e-mail] it were.',
      ops: [{ op: 'replace', draft: [12, 16], final: [12, 15] }],
    })
    const ops = [{ op: 'replace', draft: [3, 12], final: [3, 15] }]
    expect(inFinal).toMatchObject({ final: 'It was [e-mail].', ops, sampled })
    expect([after, ahead].map(edit => edit!.sampled)).toEqual([undefined, undefined])
    expect(none).toEqual(made[3])
    await store.close()
  })

  it('numbers of more digits than a number holds keep them, as text, and are counted', async () => {
    const record = '{"draft":"a","final":"b","id":12345678901234567890,"score":0.1,"n":7}'
    const file = join(folder, 'long.jsonl')
    writeFileSync(file, `${record}\n`)
    const array = join(folder, 'long.json')
    writeFileSync(array, `[${record.replace('"a"', '"c"')}]`)
    const { store, reports } = await storeOf([file, array])
    expect(reports).toMatchObject([{ asText: 1 }, { asText: 1 }])
    const out = join(folder, 'long-again.jsonl')
    await exportStore(store, out, { format: 'draft-final' })
    const known = { final: 'b', id: '12345678901234567890', score: 0.1, n: 7 }
    expect(await records(out)).toEqual([
      { draft: 'a', ...known },
      { draft: 'c', ...known },
    ])
    await store.close()
  })

  it('column names that were given are written again', async () => {
    const file = join(folder, 'support.csv')
    writeFileSync(file, 'question,sent,corrected,team\nWhere?,It were.,It was.,a\n')
    const { store, reports } = await storeOf([file], {
      columns: { prompt: 'question', draft: 'sent', final: 'corrected' },
    })
    expect(reports).toMatchObject([{ format: 'draft-final', added: 1 }])
    const out = join(folder, 'support-again.csv')
    await exportStore(store, out, { format: 'draft-final' })
    expect(readFileSync(out, 'utf8')).toBe(readFileSync(file, 'utf8'))
    const plain = join(folder, 'plain.jsonl')
    const { dropped } = await exportStore(store, plain, { format: 'draft-final', columns: { draft: 'd', final: 'f' } })
    expect(dropped).toEqual({ prompt: 1 })
    expect(await records(plain)).toEqual([{ d: 'It were.', f: 'It was.', team: 'a' }])
    const table = join(folder, 'plain.csv')
    await exportStore(store, table, { format: 'draft-final', columns: { prompt: 'p', draft: 'd', final: 'f' } })
    expect(readFileSync(table, 'utf8')).toBe('team,p,d,f\na,Where?,It were.,It was.\n')
    await store.close()
  })

  it('no column is read but those that are named, and those that must be there', async () => {
    const file = join(folder, 'asked.csv')
    writeFileSync(file, ',prompt,answer\n0,Where?,It were.\n')
    const { store, reports } = await storeOf([file], { columns: { response: 'answer' }, queue: true })
    expect(reports).toMatchObject([{ format: 'responses', added: 1, queued: 1 }])
    expect(await store.claim('ada')).toMatchObject({ prompt: 'Where?', response: 'It were.' })
    const out = join(folder, 'asked.jsonl')
    await exportStore(store, out, { format: 'responses', columns: {} })
    expect(await records(out)).toEqual([{ '': '0', prompt: 'Where?', response: 'It were.' }])
    const prompts = await storeOf([file], { format: 'responses', columns: { prompt: 'prompt' }, queue: true })
    expect(prompts.reports).toMatchObject([{ added: 1, queued: 0 }])
    const edits = await storeOf([file], { columns: { draft: 'answer', final: 'prompt' } })
    const back = join(folder, 'asked-edits.csv')
    await exportStore(edits.store, back, { format: 'draft-final' })
    expect(readFileSync(back, 'utf8')).toBe(readFileSync(file, 'utf8'))
    for (const opened of [store, prompts.store, edits.store]) await opened.close()
  })

  it('a name that nothing would come of is refused', async () => {
    const file = join(folder, 'mistyped.csv')
    writeFileSync(file, 'question,sent,corrected\nWhere?,It were.,It was.\n')
    const store = await Store.open(join(folder, 'mistyped.db'))
    const columns = { prompt: 'qestion', draft: 'sent', final: 'corrected' }
    await expect(importFile(store, file, { columns })).rejects.toThrow(
      'mistyped.csv: no column "qestion", which --columns names; there are question, sent, corrected',
    )
    await expect(importFile(store, file, { format: 'draft-final', columns: { edited: 'sent' } })).rejects.toThrow(
      'columns edited: draft-final has no such name; it has prompt, draft, final, reasons, at',
    )
    const format = 'trl-preference'
    await expect(importFile(store, file, { format, columns: { prompt: 'question' } })).rejects.toThrow(
      'columns prompt: trl-preference has no such name; its columns cannot be named',
    )
    await expect(
      exportStore(store, join(folder, 'mistyped.jsonl'), { format, columns: { prompt: 'q' } }),
    ).rejects.toThrow('columns prompt: trl-preference has no such name')
    await store.close()
  })

  it('any record that is read at all comes back equal', async () => {
    const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('', ' ', '\n\nHuman: x\n\nAssistant: y'))
    const turn = fc.record({ role: fc.constantFrom('user', 'assistant', 'system'), content: text })
    const value = fc.oneof(text, fc.array(turn, { maxLength: 3 }), fc.constant(null), fc.double({ noNaN: true }))
    const fields = ['prompt', 'chosen', 'rejected', 'draft', 'final', 'instruction', 'input', 'output', 'preference']
    const more = [
      'output_1',
      'output_2',
      'original_output',
      'revised_output',
      'generator',
      'reasons',
      'at',
      '__proto__x',
    ]
    const record = fc.dictionary(fc.constantFrom(...fields, ...more), value, { minKeys: 2 })
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 8 }), async list => {
        const file = join(folder, `${n++}.jsonl`)
        writeFileSync(file, list.map(one => `${JSON.stringify(one)}\n`).join(''))
        const kept = canonical(JSON.parse(JSON.stringify(list)) as unknown[])
        for (const { name, read, write } of formats) {
          if (!read || !write) continue
          const { store, reports } = await storeOf([file], { format: name, onBad: 'reject' })
          const out = join(folder, `${n}.out.jsonl`)
          const { written, leftOut } = await exportStore(store, out, { format: name })
          await store.close()
          const bad = await rejected(`${file}.rejects.jsonl`, reports[0]!.rejected)
          expect(written + Object.values(leftOut).reduce((a, b) => a + b, 0)).toBe(list.length - bad.length)
          if (Object.keys(leftOut).length === 0)
            expect(canonical(await records(out)), name).toEqual(kept.filter((_, i) => !bad.includes(i + 1)))
        }
      }),
      { numRuns: 6 },
    )
  }, 60_000)
})

async function rejected(path: string, count: number): Promise<number[]> {
  return count === 0 ? [] : ((await records(path)) as { line: number }[]).map(reject => reject.line)
}

describe('other formats', () => {
  it('edits become preferences; what has no place there is counted by name', async () => {
    const { store } = await storeOf([join(goldens, 'emend.jsonl')])
    const out = join(folder, 'pairs.jsonl')
    expect(await exportStore(store, out, { format: 'trl-preference' })).toEqual({
      format: 'trl-preference',
      written: 2,
      leftOut: {},
      dropped: { preferred: 1, reasons: 1, by: 2, at: 2, seconds: 1, ops: 2, sampled: 1, team: 1 },
    })
    expect(await records(out)).toEqual([
      { prompt: 'Where?', chosen: 'It was sent.', rejected: 'It were sent.' },
      {
        prompt: [{ role: 'user', content: 'Q' }],
        chosen: [{ role: 'assistant', content: 'a' }],
        rejected: [{ role: 'assistant', content: 'ab' }],
      },
    ])
    await store.close()
  })

  it('draws and conversations that a format cannot hold are left out, and said', async () => {
    const files = ['alpacaeval-annotations.json', 'trl-preference.jsonl', 'draft-final.jsonl']
    const { store } = await storeOf(files.map(name => join(goldens, name)))
    const out = join(folder, 'left.json')
    expect(await exportStore(store, out, { format: 'hh-rlhf', kind: 'preference' })).toEqual({
      format: 'hh-rlhf',
      written: 6,
      leftOut: { 'neither response is preferred': 2, 'it has a system turn': 1 },
      dropped: {
        ...{ strength: 1, by: 1, generator_1: 1, generator_2: 1, time_per_example: 1, dataset: 1 },
        ...{ score_chosen: 2, id: 2 },
      },
    })
    expect((await records(out))[0]).toEqual({
      chosen: '\n\nHuman: Q\n\nAssistant: b',
      rejected: '\n\nHuman: Q\n\nAssistant: a',
    })
    expect((await exportStore(store, out, { format: 'alpacafarm-preference' })).leftOut).toEqual({
      'its prompt is a conversation of several turns': 1,
    })
    expect((await exportStore(store, out, { format: 'figa' })).leftOut).toEqual({ 'figa holds no preferences': 9 })
    await store.close()
  })

  it('what one column of Parquet cannot hold is named', async () => {
    const file = join(folder, 'mixed.jsonl')
    const turns = '[{"role":"user","content":"Q"}]'
    writeFileSync(file, `{"prompt":"p","draft":"a","final":"b"}\n{"prompt":${turns},"draft":"c","final":"d"}\n`)
    const { store } = await storeOf([file])
    const out = join(folder, 'mixed.parquet')
    await expect(exportStore(store, out, { format: 'trl-preference' })).rejects.toThrow(
      `${out}:2: prompt: a column of texts, got an array of 1: one of Parquet has one type; write JSON Lines`,
    )
    await store.close()
  })

  it.each(['jsonl', 'parquet'])('a place where no %s file can be is named, and why', async end => {
    const { store } = await storeOf([join(goldens, 'draft-final.jsonl')])
    const taken = join(folder, `taken.${end}`)
    mkdirSync(taken, { recursive: true })
    const format = { format: 'figa' }
    await expect(exportStore(store, taken, format)).rejects.toThrow(`${taken}: cannot be written: `)
    const under = join(goldens, 'draft-final.jsonl', `x.${end}`)
    await expect(exportStore(store, under, format)).rejects.toThrow(`${under}: cannot be written: `)
    await store.close()
  })

  it('Parquet for verl has its nested schema', async () => {
    const { store } = await storeOf([join(goldens, 'emend.jsonl')])
    const out = join(folder, 'verl.parquet')
    await exportStore(store, out, { format: 'verl' })
    expect((await records(out))[0]).toEqual({
      data_source: 'emend',
      prompt: [{ role: 'user', content: 'Where?' }],
      ability: 'alignment',
      reward_model: { style: 'rule', ground_truth: 'It was sent.' },
      extra_info: { split: 'train', kind: 'edit', rejected: 'It were sent.' },
    })
    await store.close()
  })
})

describe('read only', () => {
  it.each([
    ['ultrafeedback.jsonl', 'ultrafeedback', [[[{ role: 'user', content: 'Sky?' }], 'Blue.', 'Green.']]],
    [
      'nemo-rl.jsonl',
      'nemo-rl',
      [
        [[{ role: 'user', content: 'Sky?' }], 'Blue.', 'Azure.'],
        [[{ role: 'user', content: 'Sky?' }], 'Blue.', 'Green.'],
        [[{ role: 'user', content: 'Sky?' }], 'Azure.', 'Green.'],
      ],
    ],
  ])('%s: preferences', async (name, format, expected) => {
    const { store, reports } = await storeOf([join(goldens, name)])
    expect(reports[0]!.format).toBe(format)
    const found = []
    for await (const { prompt, chosen, rejected } of store.preferences()) found.push([prompt, chosen, rejected])
    expect(found).toEqual(expected)
    await store.close()
  })

  it('Langfuse: corrections of traces and of observations, in the shapes of both versions', async () => {
    const { store, reports } = await storeOf([join(goldens, 'langfuse.jsonl')])
    expect(reports).toMatchObject([{ format: 'langfuse', read: 3, added: 2, setAside: { 'no correction': 1 } }])
    const found = []
    for await (const { prompt, draft, final, by } of store.edits()) found.push([prompt, draft, final, by.name])
    expect(found).toEqual([
      ['Sky?', 'It be blue.', 'It is blue.', 'u1'],
      [[{ role: 'user', content: '2?' }], 'thre', 'three', 'unknown'],
    ])
    await store.close()
  })

  it('Alpaca: instruction and input joined', async () => {
    const { store, reports } = await storeOf([join(goldens, 'alpaca.json')])
    expect(reports).toMatchObject([{ format: 'alpaca', added: 2 }])
    const found = []
    for await (const { prompt } of store.prompts()) found.push(prompt)
    expect(found).toEqual(['Add.\n\n1 2', 'Greet.'])
    await store.close()
  })
})

it('fills the annotation queue, the preferred response beside the other', async () => {
  const files = ['trl-preference.jsonl', 'alpacaeval-outputs.json'].map(name => join(goldens, name))
  const { store, reports } = await storeOf(files, { queue: true })
  expect(reports.map(report => [basename(report.file), report.queued])).toEqual([
    ['trl-preference.jsonl', 5],
    ['alpacaeval-outputs.json', 2],
  ])
  expect(await store.claim('ada')).toMatchObject({ prompt: 'The sky is', response: ' green.', preferred: ' blue.' })
  await store.close()
})
