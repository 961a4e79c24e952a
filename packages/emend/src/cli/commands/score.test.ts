import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { numThreads, setNumThreads } from '@emend/torch'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { tinyFolders } from '../../server/tiny-model.fixture.js'
import { scoreCommand, tokenizerBeside } from './score.js'

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

it('computes with as many threads as it is told', async () => {
  const folders = await tinyFolders()
  const before = numThreads()
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((...args: unknown[]) => {
    ;(args.at(-1) as () => void)()
    return true
  })
  try {
    const args = ['--reward', folders.reward, '--prompt', 'the', '--response', 'cat', '--json', '--threads']
    await scoreCommand().parseAsync([...args, String(before + 1)], { from: 'user' })
    expect(numThreads()).toBe(before + 1)
    expect(JSON.parse(out.mock.calls[0]![0] as string)).toHaveProperty('total')
  } finally {
    out.mockRestore()
    setNumThreads(before)
    folders.remove()
  }
})
