import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { labelFile, Tokenizer, trainTokenizer } from '../../text/index.js'
import { labelCommand } from './label.js'

let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'emend-label-'))
  // Bytes only: every token is a byte, so ids and places can be worked out by hand.
  await trainTokenizer(['x'], { vocabSize: 258, folder })
})
afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, ...lines: unknown[]): string {
  const path = join(folder, name)
  writeFileSync(path, lines.map(line => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'))
  return path
}

async function run(...args: string[]): Promise<{ out: string; log: string }> {
  let [out, log] = ['', '']
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text, done?: unknown) => {
    out += text
    ;(done as (() => void) | undefined)?.()
    return true
  })
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation(text => {
    log += text
    return true
  })
  try {
    await labelCommand().parseAsync(['--tokenizer', folder, ...args], { from: 'user' })
  } finally {
    stdout.mockRestore()
    stderr.mockRestore()
  }
  return { out, log }
}

/** The id of a byte in the vocabulary: after the two specials, in order. */
const byte = (value: number) => 2 + value
const token = (character: string, start: number, changed: boolean) => ({
  id: byte(character.charCodeAt(0)),
  start,
  end: start + 1,
  changed,
})

it('with --json, tells on stdout of what it wrote into a file', async () => {
  const file = write('few.jsonl', { draft: 'ab', final: 'axb' }, { draft: 'é', final: 'é' })
  const out = join(folder, 'few-labels.jsonl')
  expect(JSON.parse((await run(file, '--out', out, '--json')).out)).toEqual({
    out,
    pairs: 2,
    edit_ratio: 0.1,
    repaired: 0,
  })
  expect((await run(file, '--out', out)).out).toBe('')
})

it('prints a line a pair', async () => {
  const file = write('pairs.jsonl', { draft: 'ab', final: 'axb', prompt: 'Q' }, { draft: 'é', final: 'é' })
  const { out, log } = await run(file, '--json')
  expect(
    out
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line)),
  ).toEqual([
    {
      edits: [{ op: 'insert', draft: [1, 1], final: [1, 2] }],
      edit_ratio: 1 / 5,
      draft: { tokens: [token('a', 0, false), token('b', 1, false)] },
      final: { tokens: [token('a', 0, false), token('x', 1, true), token('b', 2, false)] },
    },
    {
      edits: [],
      edit_ratio: 0,
      draft: { tokens: [0xc3, 0xa9].map(value => ({ id: byte(value), start: 0, end: 1, changed: false })) },
      final: { tokens: [0xc3, 0xa9].map(value => ({ id: byte(value), start: 0, end: 1, changed: false })) },
    },
  ])
  expect(log).toMatch(/2 pairs .*mean edit ratio 0\.100\n$/)
})

it('counts the lone surrogates it replaces', async () => {
  const file = write('lone.jsonl', '{"draft": "a\\ud800", "final": "b\\udc00\\udc00"}')
  const { out, log } = await run(file)
  expect(JSON.parse(out).edits).toEqual([{ op: 'replace', draft: [0, 1], final: [0, 2] }])
  expect(log).toContain('3 lone surrogates became U+FFFD')
})

it.each([
  ['broken JSON', '{"draft": "a", "final": }', ':2: column 25: broken JSON'],
  ['a missing field', { draft: 'a' }, ':2: final: missing'],
  ['a field of another kind', { draft: 7, final: 'a' }, ':2: draft: expected text, got number 7'],
  ['a prompt of another kind', { draft: 'a', final: 'b', prompt: 3 }, ':2: prompt: expected text or turns'],
  ['no object', [1], ':2: expected an object of fields, got an array of 1'],
])('%s: file, line and field, and nothing half-written', async (_, line, expected) => {
  const file = write('broken.jsonl', { draft: 'a', final: 'b' }, line)
  const before = readdirSync(folder)
  await expect(run(file, '--out', join(folder, 'labels.jsonl'))).rejects.toThrow(`${file}${expected}`)
  expect(readdirSync(folder)).toEqual(before)
})

it('writes the whole file, many batches long, in order', async () => {
  const pairs = Array.from({ length: 1000 }, (_, i) => ({ draft: `${i}`, final: `${i}!` }))
  const path = join(folder, 'new', 'labels.jsonl')
  const { out } = await run(write('many.jsonl', ...pairs), '--out', path)
  expect(out).toBe('')
  const lines = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  expect(lines.map(line => line.edits[0].draft[0])).toEqual(pairs.map(({ draft }) => draft.length))
  expect(readdirSync(join(folder, 'new'))).toEqual(['labels.jsonl'])
})

it('reports what was labelled', async () => {
  const file = write('few.jsonl', { draft: 'ab', final: 'axb' }, { draft: 'a', final: 'b' })
  const out = join(folder, 'few.out.jsonl')
  // One of five tokens, then two of two.
  expect(await labelFile(file, await Tokenizer.load(folder), { out })).toEqual({
    pairs: 2,
    meanEditRatio: (1 / 5 + 1) / 2,
    repaired: 0,
  })
})
