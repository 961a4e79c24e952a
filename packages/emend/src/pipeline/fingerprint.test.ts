import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { canonicalJson, contentDigest, fingerprint } from './fingerprint.js'

describe('fingerprint', () => {
  it('does not depend on the order of keys', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'é' }], a: undefined, A: 1e-7 })).toBe(
      '{"A":1e-7,"b":[1,{"c":"é","d":null}]}',
    )
    expect(fingerprint({ a: 1, b: 2 })).toBe(createHash('sha256').update('{"a":1,"b":2}').digest('hex'))
    expect(fingerprint({ b: 2, a: 1 })).toBe(fingerprint({ a: 1, b: 2 }))
    expect(fingerprint([1, 2])).not.toBe(fingerprint([2, 1]))
  })

  it('refuses what JSON would silently change', () => {
    expect(() => canonicalJson({ lr: Number.NaN })).toThrow('NaN')
    expect(() => canonicalJson({ id: 1n })).toThrow('bigint')
  })

  it('counts the contents of files and folders, not where they lie', () => {
    const folder = mkdtempSync(join(tmpdir(), 'emend-fingerprint-'))
    const make = (name: string, inside: string, text: string) => {
      mkdirSync(join(folder, name, 'sub'), { recursive: true })
      writeFileSync(join(folder, name, 'sub', inside), text)
      return join(folder, name)
    }
    const [one, same, renamed, changed] = [
      make('one', 'a.txt', 'x'),
      make('same', 'a.txt', 'x'),
      make('renamed', 'b.txt', 'x'),
      make('changed', 'a.txt', 'y'),
    ]
    expect(contentDigest(join(one, 'sub', 'a.txt'))).toBe(createHash('sha256').update('x').digest('hex'))
    expect(fingerprint({}, [one])).toBe(fingerprint({}, [same]))
    expect(new Set([one, renamed, changed].map(path => fingerprint({}, [path]))).size).toBe(3)
    expect(() => fingerprint({}, [join(folder, 'none')])).toThrow('there is no such file or folder')
  })

  it('leaves out a folder of results inside an input', () => {
    const model = mkdtempSync(join(tmpdir(), 'emend-fingerprint-'))
    writeFileSync(join(model, 'config.json'), '{}')
    const before = fingerprint(1, [model], join(model, 'tuned'))
    mkdirSync(join(model, 'tuned'))
    writeFileSync(join(model, 'tuned', 'run.json'), '{}')
    writeFileSync(join(model, 'tuned2'), 'counts')
    expect(fingerprint(1, [model], join(model, 'tuned'))).not.toBe(before)
    rmSync(join(model, 'tuned2'))
    expect(fingerprint(1, [model], join(model, 'tuned'))).toBe(before)
  })
})
