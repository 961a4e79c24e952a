/** `emend import`, `edits` and `export` on one store, as people call them. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { Store } from '../../data/store/index.js'
import { configureProgress } from '../../progress.js'
import { editsCommand } from './edits.js'
import { exportCommand } from './export.js'
import { importCommand } from './import.js'

const folder = mkdtempSync(join(tmpdir(), 'emend-store-commands-'))
const store = join(folder, 'emend.db')
const file = join(folder, 'replies.csv')
let told = ''
beforeAll(() => {
  vi.stubEnv('NO_COLOR', '1')
  configureProgress({ stream: { write: text => (told += text) } })
  writeFileSync(
    file,
    'question,sent,corrected,team\nWhere?,It were sent.,It was sent.,a\nMail?,To ada@example.org.,To bob@example.org!,b\nshort\n',
  )
})
afterAll(() => {
  vi.unstubAllEnvs()
  configureProgress({})
  rmSync(folder, { recursive: true, force: true })
})

/** What a command prints on stdout. */
async function run(command: Command, ...args: string[]): Promise<string> {
  let out = ''
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text, done?: unknown) => {
    out += text
    ;(done as (() => void) | undefined)?.()
    return true
  })
  try {
    await command.parseAsync(['--store', store, ...args], { from: 'user' })
  } finally {
    stdout.mockRestore()
  }
  return out
}

const columns = ['--columns', 'prompt=question,draft=sent,final=corrected']

it('import: a bad record stops it, or is set aside; what is private is replaced; twice changes nothing', async () => {
  await expect(run(importCommand(), file)).rejects.toThrow(
    'no known format has records of question, sent, corrected, team',
  )
  await expect(run(importCommand(), file, ...columns, '--redact', 'contacts')).rejects.toThrow(
    `${file}:4: has 1 values`,
  )
  const again = [file, ...columns, '--redact', 'contacts', '--on-bad', 'reject']
  expect(await run(importCommand(), ...again)).toBe(`${file}: draft-final; 3 records, 0 new, 2 known, 1 rejected\n`)
  expect(JSON.parse(readFileSync(`${file}.rejects.jsonl`, 'utf8'))).toMatchObject({ file, line: 4 })
  expect(told).toMatch(/^import .*replies\.csv {2}0\.0 MB {2}in [\d.]+s {2}3 records\n$/)
})

it('edits show: marks where there are no colours, and only what is known', async () => {
  const shown = await run(editsCommand(), 'show')
  expect(shown.replace(/^[0-9a-f]{12} /gm, '# ')).toBe(
    // One of three words on either side; a mark is no word.
    '# · ratio 0.33\n> Where?\nIt [-were-]{+was+} sent.\n# · ratio 0.00\n> Mail?\nTo [e-mail][-.-]{+!+}\n',
  )
  const id = shown.slice(0, 6)
  expect(JSON.parse(await run(editsCommand(), 'show', id, '--json'))).toMatchObject({ final: 'It was sent.' })
  await expect(run(editsCommand(), 'show', 'nothing')).rejects.toThrow('edit nothing: none')
})

it('edits show: colours where they are asked for; an empty store says so', async () => {
  for (const [name, value] of Object.entries({ FORCE_COLOR: '1', NO_COLOR: '', TERM: 'xterm' })) vi.stubEnv(name, value)
  expect(await run(editsCommand(), 'show')).toContain('It \u001b[9;31mwere\u001b[0m\u001b[4;32mwas\u001b[0m sent.')
  vi.stubEnv('NO_COLOR', '1')
  const empty = join(folder, 'empty.db')
  await (await Store.open(empty)).close()
  expect(await run(editsCommand(), 'show', '--store', empty)).toBe('no edits\n')
})

it('edits stats: how much, why, by whom', async () => {
  expect(JSON.parse(await run(editsCommand(), 'stats', '--json'))).toMatchObject({
    edits: 2,
    reasons: {},
    annotators: { unknown: { edits: 2 } },
  })
})

it('export: what a format has no room for is counted by name', async () => {
  told = ''
  const out = join(folder, 'pairs.jsonl')
  await run(exportCommand(), '--format', 'trl-preference', '--out', out)
  expect(readFileSync(out, 'utf8').split('\n')[0]).toBe(
    '{"prompt":"Where?","chosen":"It was sent.","rejected":"It were sent."}',
  )
  expect(told).toContain('2 records as trl-preference\ndropped, since trl-preference has no place for them: team (2)\n')
  const same = join(folder, 'same.csv')
  await run(exportCommand(), '--format', 'draft-final', '--out', same)
  expect(readFileSync(same, 'utf8')).toBe(
    'question,sent,corrected,team\nWhere?,It were sent.,It was sent.,a\nMail?,To [e-mail].,To [e-mail]!,b\n',
  )
})

it('import: a named file of rejects takes those of every file', async () => {
  const rejects = join(folder, 'all.rejects.jsonl')
  const files = ['x', 'y', 'z'].map((name, i) => {
    const path = join(folder, `${name}.jsonl`)
    writeFileSync(path, `{"draft":"${name}","final":"b"}\n${i === 1 ? '' : '{"draft":1,"final":"b"}\n'}`)
    return path
  })
  for (let times = 0; times < 2; times++) {
    await run(importCommand(), ...files, '--on-bad', 'reject', '--rejects', rejects)
    const lines = readFileSync(rejects, 'utf8').trimEnd().split('\n')
    expect(lines.map(line => (JSON.parse(line) as { file: string }).file)).toEqual([files[0], files[2]])
  }
})
