/** Which format a file is in, by its first records. */

import { DataError } from '../../errors.js'
import type { Row } from './containers/container.js'
import type { Fields, Format } from './format.js'
import { formats } from './index.js'

/** Records looked at. */
export const LOOKED_AT = 20

/** The first format that every one of the rows looks like. @throws DataError naming the fields there are, if none does */
export function detectFormat(rows: readonly Row[], file: string): Format {
  const records = rows.flatMap(row => ('value' in row && isFields(row.value) ? [row.value] : []))
  const first = rows[0]
  if (records.length === 0 && first && 'error' in first) throw first.error
  const found = records.length > 0 && formats.find(({ detect }) => detect && records.every(detect))
  if (found) return found
  const fields = [...new Set(records.flatMap(record => Object.keys(record)))]
  const what =
    records.length === 0
      ? 'no records: expected objects of fields'
      : `no known format has records of ${fields.slice(0, 12).join(', ')}; name it with --format, and its columns with --columns`
  throw new DataError(what, { file })
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
