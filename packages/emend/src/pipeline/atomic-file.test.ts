import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { makeFolder } from './atomic-file.js'

it('makes a folder and those above it, or says why not', () => {
  const folder = mkdtempSync(join(tmpdir(), 'emend-folder-'))
  try {
    makeFolder(join(folder, 'a', 'b', 'c'))
    makeFolder(join(folder, 'a', 'b', 'c'))
    expect(statSync(join(folder, 'a', 'b', 'c')).isDirectory()).toBe(true)
    writeFileSync(join(folder, 'file'), '')
    expect(() => makeFolder(join(folder, 'file'))).toThrow('EEXIST')
    expect(() => makeFolder(join(folder, 'file', 'x'))).toThrow(/EEXIST|ENOTDIR/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it.skipIf(!existsSync('/proc/self'))('returns where the system denies a folder that is there', () => {
  expect(() => makeFolder('/proc/emend/x')).toThrow('ENOENT')
})
