import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { trainTokenizer } from '../text/index.js'
import { runCli } from './run-cli.js'

let folder: string
let err: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'emend-refusals-'))
  await trainTokenizer(['x'], { vocabSize: 258, folder: join(folder, 'tokenizer') })
  writeFileSync(join(folder, 'empty.jsonl'), '\n')
  writeFileSync(join(folder, 'none.json'), '[]')
  writeFileSync(join(folder, 'one.jsonl'), '{"draft": "a", "final": "b"}\n')
})
afterAll(() => rmSync(folder, { recursive: true }))
beforeEach(() => {
  err = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((_, done?: unknown) => {
    ;(done as (() => void) | undefined)?.()
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text => {
    err += text
    return true
  }) as typeof process.stderr.write)
})
afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

/** Runs a command line in which FOLDER is the folder of this test. */
const run = (line: string) => runCli(line.split(' ').map(word => word.replace('FOLDER', folder).replace("''", '')))

it('labelling an empty file is no error, and says that nothing was there', async () => {
  expect(await run('label FOLDER/empty.jsonl --tokenizer FOLDER/tokenizer --quiet')).toBe(0)
  expect(err).toBe(`emend: ${folder}/empty.jsonl: 0 records, so there was nothing to label\n`)
})

it.each([
  [
    'a folder as a file',
    2,
    'label FOLDER/one.jsonl --tokenizer FOLDER/tokenizer --out FOLDER',
    'FOLDER: a folder, expected the name of a file to write',
  ],
  [
    'a file as a folder',
    1,
    'label FOLDER/one.jsonl --tokenizer FOLDER/tokenizer --out FOLDER/none.json/x',
    'FOLDER/none.json/x: cannot be written (EEXIST)',
  ],
  [
    'a place where nothing can be made',
    1,
    'label FOLDER/one.jsonl --tokenizer FOLDER/tokenizer --out /proc/emend/x',
    '/proc/emend/x: cannot be written (ENOENT)',
  ],
  [
    'no judgements',
    1,
    'evaluate --annotations FOLDER/none.json',
    'FOLDER/none.json: no judgements; expected at least one record',
  ],
  [
    'an empty response without its end',
    2,
    "score --reward FOLDER --prompt a --response '' --no-eos",
    'nothing to score: --response is empty and --no-eos leaves out its end; give one of them',
  ],
  [
    'a guard that is set, and is none',
    2,
    'serve FOLDER --guard-turns last',
    '--guard-turns: there is no guard; give --guard said',
  ],
  [
    'a dry run of a script',
    2,
    'annotate --by scripted --world concierge --store FOLDER/x.db --dry-run',
    '--dry-run does nothing with --by scripted: leave it out',
  ],
  [
    'a cap where nothing is paid',
    2,
    'annotate --by scripted --world concierge --store FOLDER/x.db --max-cost 5',
    '--max-cost does nothing with --by scripted: leave it out',
  ],
  [
    'an address of nobody',
    2,
    'serve FOLDER --guard said --guard-base-url http://127.0.0.1:1/v1',
    '--guard-base-url, --guard-api-key-env, --guard-timeout: whose? give --guard-llm as well',
  ],
  [
    'a model that was not pulled',
    1,
    'sft --model nobody/nothing --edits FOLDER/one.jsonl --out FOLDER/x',
    'emend pull nobody/nothing',
  ],
])('%s is refused in a line', async (_, code, line, said) => {
  const before = readdirSync(folder)
  expect(await run(line)).toBe(code)
  expect(err).toContain(said.replaceAll('FOLDER', folder))
  expect(err).toMatch(/^emend: [^\n]+\n$/)
  expect(readdirSync(folder)).toEqual(before)
})

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
describe.skipIf(!existsSync('/dev/full') || !existsSync(main))('a full disk behind stdout', () => {
  it.each(['--help', 'evaluate --help', 'label FOLDER/one.jsonl --tokenizer FOLDER/tokenizer --quiet'])('%s', line => {
    const words = line.split(' ').map(word => word.replace('FOLDER', folder))
    const { status, stderr } = spawnSync(process.execPath, [main, ...words], {
      stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
      encoding: 'utf8',
    })
    expect(stderr).toBe('emend: stdout: cannot be written (no room left: ENOSPC)\n')
    expect(status).toBe(1)
  })
})
