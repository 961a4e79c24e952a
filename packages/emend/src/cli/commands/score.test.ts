import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { tokenizerBeside } from './score.js'

describe('tokenizerBeside', () => {
  const root = mkdtempSync(join(tmpdir(), 'emend-beside-'))
  afterAll(() => rmSync(root, { recursive: true }))
  const model = join(root, 'demo', 'reward', 'model')
  const put = (folder: string) => {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'tokenizer.json'), '{}')
    return join(folder, 'tokenizer.json')
  }

  it('finds none, that of a demo, one above, one in the folder: the nearest', () => {
    mkdirSync(model, { recursive: true })
    expect(() => tokenizerBeside(model)).toThrow('has no tokenizer.json beside it')
    for (const folder of [join(root, 'demo', 'tokenizer'), join(root, 'demo', 'reward'), model]) {
      const path = put(folder)
      expect(tokenizerBeside(model)).toBe(path)
    }
  })
})
