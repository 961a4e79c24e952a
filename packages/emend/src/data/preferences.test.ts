import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readPreferences } from './preferences.js'
import { readPrompts } from './prompts.js'

const folder = mkdtempSync(join(tmpdir(), 'emend-preferences-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}
const lines = (rows: readonly unknown[]) => rows.map(row => `${JSON.stringify(row)}\n`).join('')

describe('preferences', () => {
  const chat = [{ role: 'user', content: 'hi' }]

  it('keep both texts as they stand, set identical ones aside, count repeats', async () => {
    const rows = [
      { prompt: 'p', chosen: ' a', rejected: 'b ' },
      { prompt: 'p', chosen: 'a', rejected: 'a' },
      { prompt: chat, chosen: 'a', rejected: 'b' },
      { prompt: 'p', chosen: ' a', rejected: 'b ' },
    ]
    const { preferences, report } = await readPreferences(file('pairs.jsonl', lines(rows)))
    expect(preferences.map(({ id, ...pair }) => pair)).toEqual([rows[0], rows[2], rows[3]])
    expect(preferences[0]!.id).toBe(preferences[2]!.id)
    expect(report).toMatchObject({
      read: 4,
      kept: 3,
      unchanged: 1,
      duplicates: 1,
      setAside: [{ line: 2, why: 'unchanged' }],
    })
  })

  it('have columns of any name; a broken one is placed', async () => {
    const path = file(
      'named.json',
      JSON.stringify([
        { q: 'p', good: 'a', bad: 'b' },
        { q: 'p', good: null, bad: 'b' },
      ]),
    )
    const columns = { prompt: 'q', chosen: 'good', rejected: 'bad' }
    await expect(readPreferences(path, { columns })).rejects.toThrow(`${path}:2: good: expected text, got null`)
    expect((await readPreferences(path, { columns, onBad: 'skip' })).report).toMatchObject({
      read: 2,
      kept: 1,
      broken: 1,
    })
  })
})

describe('prompts', () => {
  it('are records, texts or chats; blank ones are set aside', async () => {
    const rows = [{ prompt: 'one' }, 'two', { prompt: [{ role: 'user', content: 'three' }] }, { prompt: ' ' }, 'two']
    const { prompts, report } = await readPrompts(file('prompts.jsonl', lines(rows)))
    expect(prompts.map(p => p.prompt)).toEqual(['one', 'two', [{ role: 'user', content: 'three' }], 'two'])
    expect(report).toMatchObject({ read: 5, kept: 4, empty: 1, duplicates: 1, setAside: [{ line: 4, why: 'empty' }] })
  })

  it('are the lines of a text file, or another column', async () => {
    const text = await readPrompts(file('prompts.txt', 'Say "hi"\n\n{not JSON\n'))
    expect(text.prompts.map(p => p.prompt)).toEqual(['Say "hi"', '{not JSON'])
    const column = await readPrompts(file('column.jsonl', lines([{ instruction: 'do' }])), { column: 'instruction' })
    expect(column.prompts[0]!.prompt).toBe('do')
    await expect(readPrompts(file('wrong.jsonl', lines([{ prompt: 4 }])))).rejects.toThrow(
      'wrong.jsonl:1: prompt: expected text or turns of {role, content}, got number 4',
    )
  })
})
