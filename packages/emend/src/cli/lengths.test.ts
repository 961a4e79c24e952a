import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { LanguageModel } from '../language-model.js'
import { scalarFrom } from '../models/index.js'
import { RewardModel } from '../rewards/reward-model.js'
import { trainTokenizer } from '../text/index.js'
import { runCli } from './run-cli.js'

let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'emend-lengths-'))
  const model = LanguageModel.create(
    // Bytes only: a character is a token.
    await trainTokenizer(['x'], { vocabSize: 258 }),
    { layers: 1, heads: 1, hiddenSize: 8, maxPositions: 16 },
    1,
  )
  await model.save(join(folder, 'model'))
  await new RewardModel(scalarFrom(model.decoder, 1), 'token', model.tokenizer.fingerprint).save(join(folder, 'reward'))
  const write = (name: string, ...records: object[]) =>
    writeFileSync(join(folder, name), `\n${records.map(record => JSON.stringify(record)).join('\n')}\n`)
  // The first record stands on line 2, the one that is set aside on line 3, the long one on line 4: 4 + 12 + EOS.
  const prompt = 'word'
  write(
    'edits.jsonl',
    { prompt, draft: 'a', final: 'b' },
    { prompt, draft: 'same', final: 'same' },
    { prompt, draft: 'a', final: 'twelve chars' },
  )
  write(
    'preferences.jsonl',
    { prompt, chosen: 'a', rejected: 'b' },
    { prompt, chosen: 'same', rejected: 'same' },
    { prompt, chosen: 'a', rejected: 'twelve chars' },
  )
  // 16 tokens leave no room for a reply.
  write('prompts.jsonl', { prompt }, { prompt: '' }, { prompt: 'sixteen letters.' })
})
afterAll(() => rmSync(folder, { recursive: true }))

async function refused(command: string, name: string, file: string, more: readonly string[]) {
  let err = ''
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text => {
    err += text
    return true
  }) as typeof process.stderr.write)
  const out = mkdtempSync(join(folder, 'out-'))
  const argv = [command, '--model', join(folder, 'model'), `--${name}`, file, '--out', out, '--quiet']
  const code = await runCli([...argv, ...more.map(word => (word.startsWith('--') ? word : join(folder, word)))])
  spy.mockRestore()
  expect(code).toBe(1)
  expect(existsSync(join(out, 'checkpoints'))).toBe(false)
  return err
}

it.each([
  ['sft', 'edits', []],
  ['reward', 'edits', []],
  ['dpo', 'preferences', []],
  ['ppo', 'prompts', ['--reward', 'reward']],
])('emend %s names the file of %s that holds nothing to learn from', async (command, name, more) => {
  const file = join(folder, 'none.jsonl')
  writeFileSync(file, '\n')
  expect(await refused(command, name, file, more)).toContain(`emend: ${file}: no records; expected at least one\n`)
  const useless = { prompt: ' ', draft: 'a', final: 'a', chosen: 'a', rejected: 'a' }
  writeFileSync(file, `${JSON.stringify(useless)}\n`.repeat(2))
  expect(await refused(command, name, file, more)).toMatch(
    /none\.jsonl: none of its 2 records is of use \(2 (unchanged|empty)\); expected at least one\n/,
  )
})

it.each([
  ['sft', 'edits', []],
  ['reward', 'edits', []],
  ['reward', 'preferences', []],
  ['dpo', 'preferences', []],
  ['ppo', 'prompts', ['--reward', 'reward']],
])('emend %s names the line of the first of the %s that is too long', async (command, name, more) => {
  const file = join(folder, `${name}.jsonl`)
  expect(await refused(command, name, file, more)).toContain(
    `emend: ${file}:4: 17 tokens, and the model reads 16 at once; shorten the record or leave it out\n`,
  )
})
