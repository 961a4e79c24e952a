import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, type SchemaElement } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Store } from '../../store/index.js'
import { exportStore } from '../export.js'
import { importFile } from '../import.js'
import { openRows } from './container.js'
import { writeParquet } from './parquet.js'

const golden = fileURLToPath(new URL('../../../../goldens/formats/kinds.parquet', import.meta.url))
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-parquet-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

it('reads every kind of column exactly, as JSON can say it', async () => {
  const found = []
  for await (const row of (await openRows(golden)).rows) found.push('value' in row ? row.value : row.error)
  expect(found).toEqual([
    {
      draft: 'a b',
      final: 'a c',
      micros: '2025-01-01T12:30:15.123456Z',
      nanos: '2025-01-01T12:30:15.123456789Z',
      zoned: '2025-01-01T12:30:15.123456Z',
      day: '1900-01-01T00:00:00.000Z',
      clock: 3723456789,
      decimal: -123.45,
      long_decimal: '12345678901234567890123.45',
      uint64: '18446744073709551615',
      uint32: 4294967295,
      int8: -3,
      int64: '-9223372036854775808',
      float: 'Infinity',
      bytes: 'base64:/wB4',
      fixed: 'abcd',
      map: { k: 1, l: null },
      numbered: { 1: '2025-01-01T12:30:15.123456Z' },
      lists: [[{ a: 1, b: null }], []],
    },
    expect.objectContaining({
      micros: null,
      nanos: '1969-12-31T23:59:59.999999999Z',
      zoned: '1815-06-18T00:00:00.000Z',
      int64: 7,
      float: 'NaN',
      bytes: 'text',
      map: {},
    }),
  ])
})

it('gives every kind of column back as it stood in the file', async () => {
  await using store = await Store.open(join(folder, 'emend.db'))
  await importFile(store, golden)
  const out = join(folder, 'kinds.parquet')
  await exportStore(store, out, { format: 'draft-final' })
  const [before, after] = [await stored(golden), await stored(out)]
  expect(after.rows).toEqual(before.rows)
  expect(after.metadata.key_value_metadata).toEqual(before.metadata.key_value_metadata)
  // The writer spells these so that other readers find the file damaged; the older names say the same.
  const integer = (schema: typeof after.metadata.schema) => schema.map(({ logical_type }) => logical_type?.type)
  expect(integer(after.metadata.schema)).not.toContain('INTEGER')
  expect(after.metadata.schema.map(({ name, type, converted_type }) => [name, type, converted_type])).toEqual(
    before.metadata.schema.map(({ name, type, converted_type }) => [name, type, converted_type]),
  )
})

it('a kind of column that nobody writes any more is refused with what to do', async () => {
  const schema: SchemaElement[] = [
    { name: 'root', num_children: 1 },
    { name: 'at', type: 'INT96', repetition_type: 'OPTIONAL' },
  ]
  async function* records() {
    yield { at: '2024-01-01T00:00:00Z' }
  }
  await expect(writeParquet(join(folder, 'int96.parquet'), records(), { schema, metadata: [] })).rejects.toThrow(
    'int96.parquet:1: cannot be written as Parquet: parquet unsupported type: INT96; write JSON Lines',
  )
})

/** What the file holds, decimals and times as the whole numbers that stand there. */
async function stored(path: string) {
  const file = await asyncBufferFromFile(path)
  const metadata = await parquetMetadataAsync(file)
  const bare = metadata.schema.map(element => {
    const { converted_type, logical_type, ...rest } = element
    return /DECIMAL|TIMESTAMP/.test(converted_type ?? logical_type?.type ?? '') ? rest : element
  })
  const rows = await parquetReadObjects({ file, metadata: { ...metadata, schema: bare }, compressors, utf8: false })
  return { metadata, rows }
}
