import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { insertions, replay } from '@emend/edits'
import { afterAll, describe, expect, it } from 'vitest'
import { testData } from '../text/test-data.js'
import { iteraterColumns, readEdits } from './drafts.js'
import { splitFile } from './splits.js'

const folder = mkdtempSync(join(tmpdir(), 'emend-drafts-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, rows: readonly unknown[]): string {
  const path = join(folder, name)
  writeFileSync(path, rows.map(row => (typeof row === 'string' ? row : JSON.stringify(row)) + '\n').join(''))
  return path
}

describe('drafts and finals', () => {
  it('become edits, by the plain names of their columns', async () => {
    const path = file('plain.jsonl', [
      { draft: 'The room is fine.', final: 'The suite is fine.', prompt: 'Which room?', reasons: ['wrong'], extra: 1 },
    ])
    const { edits, report } = await readEdits(path, { annotator: { kind: 'script', name: 'rules', version: '2' } })
    expect(edits).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f]{32}$/),
        prompt: 'Which room?',
        draft: 'The room is fine.',
        final: 'The suite is fine.',
        ops: [{ op: 'replace', draft: [4, 8], final: [4, 9] }],
        by: { kind: 'script', name: 'rules', version: '2' },
        at: '1970-01-01T00:00:00Z',
        reasons: ['wrong'],
      },
    ])
    expect(report).toMatchObject({ file: path, read: 1, kept: 1, unchanged: 0, broken: 0, setAside: [] })
  })

  it('are read under other names, with reasons as one text, and the same each time', async () => {
    const path = file('other.jsonl', [{ old: 'a b', new: 'a c', why: 'style', when: '2024-05-06T07:08:09Z' }])
    const columns = { draft: 'old', final: 'new', reasons: 'why', at: 'when' }
    const first = await readEdits(path, { columns })
    expect(first.edits[0]).toMatchObject({ prompt: '', reasons: ['style'], at: '2024-05-06T07:08:09Z' })
    expect(await readEdits(path, { columns })).toEqual(first)
  })

  it('are trimmed at their ends, and set aside where nothing else differs', async () => {
    const path = file('trim.jsonl', [
      { draft: '  a b ', final: 'a  b' },
      { draft: ' same', final: 'same\n' },
    ])
    const { edits, report } = await readEdits(path)
    expect(edits.map(e => [e.draft, e.final])).toEqual([['a b', 'a  b']])
    expect(report).toMatchObject({
      read: 2,
      kept: 1,
      unchanged: 1,
      trimmed: 2,
      setAside: [{ line: 2, why: 'unchanged' }],
    })
    const untouched = await readEdits(path, { trim: false })
    expect(untouched.edits.map(e => e.draft)).toEqual(['  a b ', ' same'])
    expect(untouched.report).toMatchObject({ kept: 2, trimmed: 0 })
  })

  it('are counted where a side is empty, where too much changes, and where they stood before', async () => {
    const rows = [
      { draft: 'gone', final: '' },
      { draft: 'one two three four', final: 'five six seven four' }, // 6 of 8 words
      { draft: 'one two three four', final: 'one two three five' }, // 2 of 8
      { draft: 'one two three four', final: 'one two three five' },
    ]
    const path = file('counted.jsonl', rows)
    const all = await readEdits(path)
    expect(all.report).toMatchObject({ read: 4, kept: 4, empty: 1, overBudget: 2, duplicates: 1 })
    expect(all.edits[2]!.id).toBe(all.edits[3]!.id)
    const some = await readEdits(path, { keepEmpty: false, keepOverBudget: false })
    expect(some.report).toMatchObject({ kept: 2, empty: 1, overBudget: 1 })
    expect(some.report.setAside).toEqual([
      { line: 1, why: 'empty' },
      { line: 2, why: 'over-budget' },
    ])
    expect((await readEdits(path, { budget: 0.2 })).report.overBudget).toBe(4)
  })

  it('are made well-formed, and the repairs counted', async () => {
    const { edits, report } = await readEdits(file('lone.jsonl', ['{"draft":"a \\ud800 b","final":"a b \\udc00"}']))
    expect(edits[0]).toMatchObject({ draft: 'a \ufffd b', final: 'a b \ufffd' })
    expect(report.repaired).toBe(2)
  })

  it('stop at the first broken record, or are counted and listed', async () => {
    const path = file('broken.jsonl', [
      { draft: 'a', final: 'b' },
      { draft: 'a' },
      { draft: 'a', final: 7 },
      '{"draft": "a", "final": ',
      ['a', 'b'],
      { draft: 'c', final: 'd', prompt: [{ role: 'robot', content: 'hi' }] },
      { draft: 'c', final: 'd', at: 'yesterday' },
      { draft: 'c', final: 'd' },
    ])
    await expect(readEdits(path)).rejects.toMatchObject({ name: 'DataError', file: path, line: 2, field: 'final' })
    const { edits, report } = await readEdits(path, { onBad: 'skip' })
    expect(edits.map(e => e.draft)).toEqual(['a', 'c'])
    expect(report).toMatchObject({ read: 8, kept: 2, broken: 6 })
    const messages = report.setAside.map(row => row.message!.slice(path.length))
    expect(messages).toEqual([
      ':2: final: missing: the record has draft; emend import --columns takes other names',
      ':3: final: expected text, got number 7',
      ':4: column 25: broken JSON: expected a value, got the end; mend the line or remove it',
      ':5: expected an object of fields, got an array of 2',
      expect.stringMatching(/^:6: prompt: expected text or turns of \{role, content\} .*, got an array of 1$/),
      expect.stringMatching(/^:7: .*at.*ISO/),
    ])
  })

  it('are not taken from a name that every object has', async () => {
    const path = file('constructor.jsonl', [{ draft: 'a' }])
    await expect(readEdits(path, { columns: { draft: 'draft', final: 'constructor' } })).rejects.toThrow(
      ':1: constructor: missing',
    )
  })

  it('that are stored edits already are read as they are', async () => {
    const { edits } = await readEdits(file('made.jsonl', [{ draft: ' a b', final: ' a c' }]), { trim: false })
    const path = file('stored.jsonl', edits)
    expect((await readEdits(path)).edits).toEqual(edits)
    const lying = { ...edits[0], ops: [{ op: 'insert', draft: [0, 0], final: [0, 1] }] }
    await expect(readEdits(file('lying.jsonl', [lying]))).rejects.toMatchObject({ name: 'DataError', line: 1 })
  })
})

const real = testData('iterater-human')
describe.skipIf(!real)('human sentence revisions (IteraTeR)', () => {
  it.each([
    // rows as the data's README states them; identical sides as counted in Python, raw and stripped alike
    ['train', 3254, 1],
    ['dev', 400, 0],
    ['test', 364, 2],
  ] as const)('%s: %i rows, %i with identical sides', async (split, rows, unchanged) => {
    const { edits, report } = await readEdits(await splitFile(real!, split), { columns: iteraterColumns })
    expect(report).toMatchObject({ read: rows, kept: rows - unchanged, unchanged, broken: 0, repaired: 0 })
    expect(new Set(edits.flatMap(e => e.reasons ?? []))).toEqual(
      new Set(['clarity', 'coherence', 'fluency', 'meaning-changed', 'others', 'style']),
    )
    for (const { draft, final, ops } of edits) expect(replay(draft, ops, insertions(ops, final))).toBe(final)
  })
})
