import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { DataError } from '../../../errors.js'
import { writeRows } from './write.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-write-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Texts that gzip makes no shorter: 4 MB, more than the streams hold back. */
async function* noise() {
  for (let i = 0; i < 40; i++) yield { text: randomBytes(50_000).toString('hex') }
}

it.each(['jsonl', 'jsonl.gz'])('a full disk ends the writing of a .%s file, and nothing is left', async end => {
  if (!existsSync('/dev/full')) return console.log('skipped: no /dev/full here')
  const out = join(folder, `full.${end}`)
  symlinkSync('/dev/full', `${out}.${process.pid}.tmp`)
  await expect(writeRows(out, { container: 'jsonl' }, noise())).rejects.toThrow(
    new DataError('cannot be written: no space left on device', { file: out }),
  )
  expect(readdirSync(folder)).toEqual([])
})

it.each(['jsonl', 'jsonl.gz'])('records that fail end the writing of a .%s file, and nothing is left', async end => {
  async function* failing() {
    yield* noise()
    throw new Error('no more')
  }
  const written = writeRows(join(folder, `half.${end}`), { container: 'jsonl' }, failing())
  await expect(written).rejects.toThrow('no more')
  expect(readdirSync(folder)).toEqual([])
})

it('a gzipped file holds what a plain one does', async () => {
  const records = async function* () {
    yield { a: 'ä' }
    yield { a: 'b\n' }
  }
  for (const name of ['r.json', 'r.json.gz']) await writeRows(join(folder, name), { container: 'json' }, records())
  const [plain, packed] = ['r.json', 'r.json.gz'].map(name => readFileSync(join(folder, name)))
  expect(plain!.toString()).toBe('[\n{"a":"ä"},\n{"a":"b\\n"}\n]\n')
  expect(gunzipSync(packed!)).toEqual(plain)
})
