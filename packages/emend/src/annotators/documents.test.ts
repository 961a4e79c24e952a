/** docs/annotators.md keeps its word: its program runs as printed, its command lines have options that there are. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { commands } from '../cli/commands/index.js'
import { buildProgram } from '../cli/run-cli.js'
import { Store } from '../data/store/index.js'
import { chatServer } from '../providers/chat-server.fixture.js'
import { readEditorMessages } from './editor-prompt.js'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const page = (path: string) => readFileSync(join(root, path), 'utf8')

describe.each(['docs/annotators.md', 'packages/emend/README.md'])('%s', path => {
  const program = buildProgram(commands())
  const lines = [...page(path).matchAll(/^npx emend (.*?)(?: {2,}.*)?$/gm)].map(([, line]) => line!.split(' '))
  const optionsOf = (command: Command | undefined) => [...(command?.options ?? []), ...program.options].map(o => o.long)

  it.each(lines.filter(([name]) => !name!.startsWith('-')))('names options that there are: emend %s', (...line) => {
    const command = program.commands.find(each => each.name() === line[0])
    const given = line.filter(word => word.startsWith('--'))
    expect(given.filter(option => !optionsOf(command).includes(option))).toEqual([])
  })

  it('speaks of options that some command has', () => {
    const all = program.commands.flatMap(optionsOf)
    const spoken = [...page(path).matchAll(/`(--[a-z-]+)[^`]*`/g)].map(([, option]) => option!)
    expect(spoken.filter(option => !all.includes(option))).toEqual([])
  })
})

it('the program of docs/annotators.md runs as printed', async () => {
  expect(existsSync(join(root, 'packages/emend/dist/index.js')), 'compile first: npx tsc -b').toBe(true)
  const [, source] = /```ts\n([\s\S]*?)```/.exec(page('docs/annotators.md'))!
  const folder = mkdtempSync(join(tmpdir(), 'emend-annotators-'))
  const server = await chatServer({
    reply: ({ messages }) => `<final>${readEditorMessages(messages).draft.replace('were', 'was')}</final>`,
  })
  try {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    expect(source).toContain("'http://127.0.0.1:8080/v1'")
    writeFileSync(join(folder, 'program.mjs'), source!.replace('http://127.0.0.1:8080/v1', server.url))
    const child = spawn(process.execPath, ['program.mjs'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', data => {
      out += data
    })
    expect(await once(child, 'close')).toEqual([0, null])
    // What the server counted, at 0.5 and 1.5 for a million.
    const { input, output } = server.usage
    expect(out).toBe(`1 {} ${(input * 0.5 + output * 1.5) / 1e6}\n`)
    await using store = await Store.open(join(folder, 'emend.db'), { readonly: true })
    for await (const { final } of store.edits())
      expect(final).toBe('Your parcel was sent on Monday, and will reach you soon.')
  } finally {
    server.close()
    rmSync(folder, { recursive: true, force: true })
  }
}, 60_000)
