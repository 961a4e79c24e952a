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

/** The option names of a command, and those that all have. */
const optionsOf = (program: Command, name: string | undefined) =>
  [...(program.commands.find(each => each.name() === name)?.options ?? []), ...program.options].map(({ long }) => long)

/** Options on a command line that its command does not have. */
function strange(program: Command, words: readonly string[]): string[] {
  const known = optionsOf(program, words[0])
  return words.filter(word => word.startsWith('--') && !known.includes(word))
}

it('the examples of `emend annotate --help` have options that there are', () => {
  const program = buildProgram(commands())
  const annotate = program.commands.find(each => each.name() === 'annotate')!
  let help = ''
  annotate.configureOutput({
    writeOut: text => {
      help += text
    },
  })
  annotate.outputHelp()
  const lines = [...help.matchAll(/^ {2}\$ emend (.*)$/gm)].map(([, line]) => line!.split(' '))
  expect(lines).toHaveLength(4)
  expect(lines.flatMap(words => strange(program, words))).toEqual([])
})

describe.each(['docs/annotators.md', 'packages/emend/README.md'])('%s', path => {
  const program = buildProgram(commands())
  const lines = [...page(path).matchAll(/^npx emend (.*?)(?: {2,}.*)?$/gm)].map(([, line]) => line!.split(' '))
  it.each(lines.filter(([name]) => !name!.startsWith('-')))('names options that there are: emend %s', (...line) => {
    expect(strange(program, line)).toEqual([])
  })

  it('speaks of options that some command has', () => {
    const all = program.commands.flatMap(each => optionsOf(program, each.name()))
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
