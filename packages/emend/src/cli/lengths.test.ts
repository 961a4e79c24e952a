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

it.each([
  ['sft', 'edits', []],
  ['reward', 'edits', []],
  ['reward', 'preferences', []],
  ['dpo', 'preferences', []],
  ['ppo', 'prompts', ['--reward', 'reward']],
])('emend %s names the line of the first of the %s that is too long', async (command, name, more) => {
  let err = ''
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text => {
    err += text
    return true
  }) as typeof process.stderr.write)
  const file = join(folder, `${name}.jsonl`)
  const out = join(folder, `${command}-${name}`)
  const argv = [command, '--model', join(folder, 'model'), `--${name}`, file, '--out', out, '--quiet']
  const code = await runCli([...argv, ...more.map(word => (word.startsWith('--') ? word : join(folder, word)))])
  spy.mockRestore()
  expect(err).toContain(
    `emend: ${file}:4: 17 tokens, and the model reads 16 at once; shorten the record or leave it out\n`,
  )
  expect(code).toBe(1)
  expect(existsSync(join(out, 'checkpoints'))).toBe(false)
})
