import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { firstThird, splitFile } from './splits.js'

describe('the first third of a sentence', () => {
  it.each([
    ['One two three four five six.', 'One two'],
    ['One two three four five six seven eight.', 'One two'], // ⌊8/3⌋
    ['Well, then go.', 'Well,'], // punctuation goes with the word before it
    ['Hello "dear" friend', 'Hello'], // and stays with the word after it behind a space
    ['two words', 'two'], // at least one
    ['  leading space here', '  leading'],
    ['alone', ''],
    ['...', ''],
    ['', ''],
    ['早餐八点开始', '早餐'],
    ['\u{1f468}\u200d\u{1f469}\u200d\u{1f467} is a family', '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}'],
    ['cafe\u0301 au lait', 'cafe\u0301'],
    ['+\u0301 b c', '+\u0301'], // a mark on a sign stays with it
    ["don't stop 12.50 times, ever, please", "don't stop"],
  ])('%j → %j', (text, prompt) => {
    expect(firstThird(text)).toEqual({ prompt, rest: text.slice(prompt.length) })
  })

  it('and the rest are the text, whatever it is; no character is cut; something is left to continue', () => {
    const any = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc.string({ unit: 'grapheme', maxLength: 80 }),
      fc
        .array(fc.constantFrom('a', ' ', '.', '\u0301', '\u{1f600}', '\u200d', '早', '\ud83d', '\r\n', '"'))
        .map(x => x.join('')),
    )
    fc.assert(
      fc.property(any, text => {
        const { prompt, rest } = firstThird(text)
        expect(prompt + rest).toBe(text)
        if (prompt === '') return
        expect(rest).not.toBe('')
        expect(/^[\p{M}\u200d]/u.test(rest)).toBe(false)
        expect(prompt.toWellFormed().length + rest.toWellFormed().length).toBe(text.length)
        if (text.isWellFormed()) expect([prompt.isWellFormed(), rest.isWellFormed()]).toEqual([true, true])
      }),
      { numRuns: 1000 },
    )
  })
})

describe('the files of a data set', () => {
  const folder = mkdtempSync(join(tmpdir(), 'emend-splits-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const touch = (name: string) => writeFileSync(join(folder, name), '')

  it('are found by split; a file is itself; what is missing or double is named', async () => {
    touch('train.jsonl')
    touch('validation.jsonl.gz')
    expect(await splitFile(folder, 'train')).toBe(join(folder, 'train.jsonl'))
    expect(await splitFile(folder, 'dev')).toBe(join(folder, 'validation.jsonl.gz'))
    expect(await splitFile(join(folder, 'train.jsonl'), 'dev')).toBe(join(folder, 'train.jsonl'))
    await expect(splitFile(folder, 'test')).rejects.toThrow(
      `${folder}: no test split: expected test.jsonl in the folder`,
    )
    touch('dev.json')
    await expect(splitFile(folder, 'dev')).rejects.toThrow(
      'several dev splits: dev.json, validation.jsonl.gz; name the file',
    )
    await expect(splitFile(join(folder, 'absent'), 'dev')).rejects.toThrow('no such file or folder')
  })
})
