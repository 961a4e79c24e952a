import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { DataError } from '../errors.js'
import { jsonFault } from './json-fault.js'
import { readJsonl, readRecords } from './jsonl.js'

const folder = mkdtempSync(join(tmpdir(), 'emend-jsonl-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const row of rows) found.push(row)
  return found
}

describe('JSON Lines', () => {
  it('reads values with their line numbers, past a byte order mark, CRLF and blank lines', async () => {
    const path = file('plain.jsonl', '\ufeff{"a":1}\r\n\n"two"\n  \n[3]\n\n')
    expect(await all(readJsonl(path))).toEqual([
      { line: 1, value: { a: 1 } },
      { line: 3, value: 'two' },
      { line: 5, value: [3] },
    ])
  })

  it('reads a last line without an end, an empty file, and gzip by its extension', async () => {
    expect(await all(readJsonl(file('last.jsonl', '1\n2')))).toEqual([
      { line: 1, value: 1 },
      { line: 2, value: 2 },
    ])
    expect(await all(readJsonl(file('empty.jsonl', '')))).toEqual([])
    expect(await all(readJsonl(file('packed.jsonl.gz', gzipSync('{"é":"\u{1f600}"}\n'))))).toEqual([
      { line: 1, value: { é: '\u{1f600}' } },
    ])
  })

  it('cuts at line feeds only: U+2028 and U+0085 may stand in a string', async () => {
    expect(await all(readJsonl(file('separators.jsonl', '"a\u2028b\u0085c"\n')))).toEqual([
      { line: 1, value: 'a\u2028b\u0085c' },
    ])
  })

  it('gives back what was written, whatever the texts, across the chunks of the stream', async () => {
    const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 200 }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(texts, fc.boolean(), async (values, packed) => {
        const long = [...values, 'é'.repeat(70_000)] // longer than a chunk of 64 KiB
        const content = long.map(value => `${JSON.stringify(value)}\n`).join('')
        const path = packed ? file('any.jsonl.gz', gzipSync(content)) : file('any.jsonl', content)
        expect((await all(readJsonl(path))).map(row => row.value)).toEqual(long)
      }),
      { numRuns: 30 },
    )
  })

  it.each([
    [
      '{"a":1}\n{"a":1,}\n',
      ':2: column 8: broken JSON: expected a key in double quotes, got "}"; mend the line or remove it',
    ],
    ['{"a":1\n', ':1: column 7: broken JSON: expected "," or "}", got the end'],
    [
      '{"a":"b\n',
      ':1: column 8: broken JSON: expected the closing quote of the string that opens at column 6, got the end',
    ],
    ["1\n\n{'a':1}\n", `:3: column 2: broken JSON: expected a key in double quotes or "}", got "'"`],
    ['{"a":NaN}\n', ':1: column 6: JSON has no NaN; write null, or leave the field out'],
    ['[1,\t-Infinity]', ':1: column 5: JSON has no -Infinity; write null, or leave the field out'],
    ['{"a":N}\n', ':1: column 6: broken JSON: expected a value, got "N"'],
    ['1 2\n', ':1: column 3: broken JSON: expected the end of the line, got "2"'],
    ['["\u{1f600}" \u{1f600}]', ':1: column 7: broken JSON: expected "," or "]", got "\u{1f600}"'],
  ])('%j names file, line, column, got and expected', async (content, message) => {
    const path = file('broken.jsonl', content)
    const error = await all(readJsonl(path)).catch(e => e)
    expect(error).toBeInstanceOf(DataError)
    expect(error.message).toContain(path + message)
    expect(error.message).not.toContain('\n')
    expect(error.file).toBe(path)
    expect(error.line).toBe(Number(/^:(\d+)/.exec(message)![1]))
  })

  it('hands over the lines before a broken one', async () => {
    const path = file('late.jsonl', '1\n2\n}\n')
    const read: unknown[] = []
    await expect(
      (async () => {
        for await (const { value } of readJsonl(path)) read.push(value)
      })(),
    ).rejects.toThrow(':3: column 1')
    expect(read).toEqual([1, 2])
  })

  it('never replaces bytes that are not UTF-8', async () => {
    const path = file('latin1.jsonl', Buffer.from('"a"\n"caf\xe9"\n', 'latin1'))
    await expect(all(readJsonl(path))).rejects.toThrow(`${path}:2: the line is not UTF-8`)
  })

  it.each([
    ['PAR1…', 'a Parquet file, expected lines of text; emend import takes it into a store'],
    ['SQLite format 3\0…', 'an SQLite file, expected lines of text; what a store holds emend export writes'],
  ])('says what %j is', async (content, message) => {
    await expect(all(readJsonl(file('other.jsonl', content)))).rejects.toThrow(`other.jsonl: ${message}`)
  })

  it('names what cannot be read', async () => {
    await expect(all(readJsonl(join(folder, 'absent.jsonl')))).rejects.toThrow('absent.jsonl: no such file')
    await expect(all(readJsonl(join(folder, 'absent.jsonl.gz')))).rejects.toThrow('absent.jsonl.gz: no such file')
    await expect(all(readJsonl(folder))).rejects.toThrow('a folder, expected a file')
    await expect(all(readJsonl(file('lying.jsonl.gz', '{"a":1}\n')))).rejects.toThrow('broken gzip data')
    const cut = gzipSync('{"a":1}\n'.repeat(1000)).subarray(0, 30)
    await expect(all(readJsonl(file('cut.jsonl.gz', cut)))).rejects.toThrow('broken gzip data')
  })
})

describe('records', () => {
  it('of a JSON array are numbered, and a fault in it has its line', async () => {
    expect(await all(readRecords(file('array.json', '[\n{"a":1},\n{"a":2}\n]\n')))).toEqual([
      { line: 1, value: { a: 1 } },
      { line: 2, value: { a: 2 } },
    ])
    await expect(all(readRecords(file('fault.json', '[\n{"a":1},\n{"a" 2}\n]')))).rejects.toThrow(
      'fault.json:3: column 6: broken JSON: expected ":", got "2"',
    )
    await expect(all(readRecords(file('object.json', '{"a":1}')))).rejects.toThrow(
      'object.json: expected an array of records, got an object with a; JSON Lines end in .jsonl',
    )
  })
})

describe('the place of a fault', () => {
  it('exists exactly where JSON.parse refuses', () => {
    const json = fc.json({ maxDepth: 3 })
    const noise = fc.constantFrom(
      '',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      '0',
      '-',
      '.',
      'e',
      't',
      ' ',
      '\t',
      '\u0001',
    )
    fc.assert(
      fc.property(json, fc.nat(), fc.nat({ max: 2 }), noise, (text, place, removed, inserted) => {
        const at = place % (text.length + 1)
        const spoilt = text.slice(0, at) + inserted + text.slice(at + removed)
        let refused = false
        try {
          JSON.parse(spoilt)
        } catch {
          refused = true
        }
        expect(jsonFault(spoilt) !== undefined).toBe(refused)
      }),
      { numRuns: 2000 },
    )
  })

  it('reads deep nesting without recursion', () => {
    const depth = 100_000
    expect(jsonFault('['.repeat(depth) + ']'.repeat(depth))).toBeUndefined()
    expect(jsonFault('['.repeat(depth))).toEqual({ at: depth, expected: 'a value or "]"' })
  })
})
