import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeEdit } from '@emend/edits'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { contentOfRun, latestDemo } from './from-run.js'

let runs: string
beforeEach(() => {
  runs = mkdtempSync(join(tmpdir(), 'emend-runs-'))
})
afterEach(() => rmSync(runs, { recursive: true, force: true }))

const sampled = { ids: [1, 2], tokenizer: 't', ended: true, model: 'sft' }

/** A folder as `emend demo` leaves it. */
function demo(name: string, age: number): string {
  const folder = join(runs, name)
  const by = { kind: 'script', name: 'concierge' } as const
  const edits = ['a', 'b'].map(draft => makeEdit({ prompt: `p ${draft}`, draft, final: 'c', by, sampled }).edit)
  const preference = { prompt: 'p b', chosen: { text: 'better' }, rejected: { text: 'b' } }
  mkdirSync(join(folder, 'pairs'), { recursive: true })
  writeFileSync(join(folder, 'pairs', 'held-out-edits.jsonl'), edits.map(edit => `${JSON.stringify(edit)}\n`).join(''))
  writeFileSync(join(folder, 'pairs', 'held-out-preferences.jsonl'), `${JSON.stringify(preference)}\n`)
  for (const path of ['reward-edits-sequence/model/reward.json', 'tokenizer/tokenizer.json']) {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), '{}')
  }
  utimesSync(folder, age, age)
  return folder
}

it("a demo's held-out replies come with the better ones beside them, its reward model and its tokenizer", () => {
  const folder = demo('demo-1', 1)
  const source = `${folder}, SFT model`
  expect(contentOfRun(folder)).toEqual({
    items: [
      { prompt: 'p a', response: 'a', source, sampled },
      { prompt: 'p b', response: 'b', source, sampled, preferred: 'better' },
    ],
    reward: join(folder, 'reward-edits-sequence', 'model'),
    tokenizer: join(folder, 'tokenizer'),
  })
})

it('the latest demo is the one that was written last; other folders are none', () => {
  expect(latestDemo(join(runs, 'nowhere'))).toBeUndefined()
  demo('demo-1', 200)
  const last = demo('demo-2', 300)
  mkdirSync(join(runs, 'demo-3'))
  expect(latestDemo(runs)).toBe(last)
  expect(() => contentOfRun(join(runs, 'demo-3'))).toThrow(/demo-3: no run of emend demo/)
})
