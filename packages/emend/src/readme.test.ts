/** The READMEs' programs run as they are printed; the first one on a small model and edits at the paths that it names. */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeEdit } from '@emend/edits'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fineTune } from './align.js'
import { LanguageModel } from './language-model.js'
import { trainTokenizer } from './text/index.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const program = /```ts\n(import [^`]* from 'emend'\n[\s\S]*?)```/.exec(readme)?.[1] ?? ''

const EDITS = [
  ['When does the pool open?', 'The pool opens at ten, I think.', 'The pool opens at nine.'],
  ['When does the spa open?', 'The spa opens at ten.', 'The spa opens at noon.'],
  ['Where is breakfast?', 'Go and look for it.', 'Breakfast is in the garden.'],
  ['Where is dinner?', 'Dinner is in the garden, as always.', 'Dinner is on the terrace.'],
  ['Is there a gym?', 'No.', 'Yes, on the first floor.'],
  ['May I park here?', 'You may park where you like.', 'You may park in the yard.'],
  ['What is the wifi word?', 'The word is lemon or olive.', 'The word is olive.'],
  ['When is checkout?', 'Checkout is at ten. Be quick.', 'Checkout is at ten.'],
  ['Do you have a map?', 'Maps are for tourists.', 'Yes, here is a map.'],
  ['Is the bar open?', 'The bar is open, open, open.', 'The bar is open.'],
  ['Can I pay by card?', 'You can pay by card or so.', 'You can pay by card.'],
  ['Are dogs welcome?', 'Dogs are welcome, cats too.', 'Dogs are welcome.'],
] as const
const asked = (question: string) => `Q: ${question}\nA:`

let folder: string
/** Where the program looks for something: the path in its call of `name`. */
const pathIn = (name: string) => join(folder, new RegExp(`${name}\\('([^']+)'\\)`).exec(program)![1]!)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'emend-readme-'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')

  const texts = EDITS.map(([question, , final]) => ({ prompt: asked(question), response: ` ${final}` }))
  const tokenizer = await trainTokenizer(
    texts.map(text => text.prompt + text.response),
    { vocabSize: 330 },
  )
  const model = LanguageModel.create(tokenizer, { layers: 1, heads: 2, hiddenSize: 32, maxPositions: 192 }, 1)
  await fineTune(model, texts, { epochs: 12, batch_size: 4, learning_rate: 1e-2, warmup_steps: 2 })
  await model.save(pathIn('LanguageModel\\.load'))

  const records = EDITS.map(
    ([question, draft, final]) =>
      makeEdit({
        prompt: asked(question),
        draft: ` ${draft}`,
        final: ` ${final}`,
        by: { kind: 'script', name: 'test' },
        at: '2024-01-01T00:00:00Z',
      }).edit,
  )
  mkdirSync(dirname(pathIn('readEdits')), { recursive: true })
  writeFileSync(pathIn('readEdits'), records.map(edit => `${JSON.stringify(edit)}\n`).join(''))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("the README's first program", () => {
  it('is at most 20 lines', () => {
    const lines = program.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(5)
    expect(lines.length).toBeLessThanOrEqual(20)
  })

  it('runs as printed, and says what the policy it saved says', async () => {
    expect(existsSync(join(root, 'packages/emend/dist/index.js')), 'compile first: npx tsc -b').toBe(true)
    const before = readFileSync(join(pathIn('LanguageModel\\.load'), 'model.safetensors'))
    writeFileSync(join(folder, 'first.mjs'), program)
    const run = spawnSync(process.execPath, ['first.mjs'], { cwd: folder, encoding: 'utf8', timeout: 120_000 })
    expect(run.stderr).toBe('')
    expect(run.status).toBe(0)

    // Reward, KL and length of each step, then the reply.
    const reports = run.stdout.match(/^step \d+ of 10 reward -?\d+\.\d+ kl -?\d+\.\d+ length \d+$/gm)
    expect(reports).toHaveLength(10)
    const aligned = await LanguageModel.load(pathIn('aligned\\.save'))
    const [reply] = await aligned.generate([asked(EDITS[0][0])], { temperature: 0 })
    expect(reply!.text).not.toBe('')
    expect(run.stdout.endsWith(`${reply!.text}\n`)).toBe(true)

    // PPO moved the policy, and left the model it started from alone.
    expect(readFileSync(join(pathIn('aligned\\.save'), 'model.safetensors')).equals(before)).toBe(false)
    expect(readFileSync(join(pathIn('LanguageModel\\.load'), 'model.safetensors')).equals(before)).toBe(true)
  }, 180_000)

  it('has types', () => hasTypes(program))
})

describe.each(['torch', 'edits'])('the example of packages/%s/README.md', name => {
  const page = readFileSync(join(root, 'packages', name, 'README.md'), 'utf8')
  const [, example, output] = /```ts\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/.exec(page)!

  it('prints what stands below it', () => {
    writeFileSync(join(folder, 'example.mjs'), example!)
    const run = spawnSync(process.execPath, ['example.mjs'], { cwd: folder, encoding: 'utf8' })
    expect(run.stderr).toBe('')
    expect(run.stdout).toBe(output)
  })

  it('has types', () => hasTypes(example!))
})

function hasTypes(source: string): void {
  writeFileSync(join(folder, 'program.ts'), source)
  const options = '--noEmit --strict --skipLibCheck --target es2022 --module nodenext --types node'.split(' ')
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const check = spawnSync(process.execPath, [tsc, ...options, 'program.ts'], { cwd: folder, encoding: 'utf8' })
  expect(check.stdout).toBe('')
  expect(check.status).toBe(0)
}
