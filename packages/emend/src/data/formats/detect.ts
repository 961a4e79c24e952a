/** Which format a file is in, by its first records. */

import { DataError } from '../../errors.js'
import type { Row } from './containers/container.js'
import type { Fields, Format } from './format.js'
import { formats } from './index.js'

/** Records looked at. */
export const LOOKED_AT = 20

/**
 * The first format that at least half of the rows look like, else the one that most do: a bad record does not hide what the file is,
 * and does not make it a plainer one.
 * @throws DataError naming the fields there are, if no row looks like any
 */
export function detectFormat(rows: readonly Row[], file: string): Format {
  const records = rows.flatMap(row => ('value' in row && isFields(row.value) ? [row.value] : []))
  const first = rows[0]
  if (records.length === 0 && first && 'error' in first) throw first.error
  const tried = formats.map(format => ({ format, alike: format.detect ? records.filter(format.detect).length : 0 }))
  const most = Math.max(...tried.map(({ alike }) => alike))
  const found = tried.find(({ alike }) => alike > 0 && alike >= Math.min(most, records.length / 2))
  if (found) return found.format
  const fields = [...new Set(records.flatMap(record => Object.keys(record)))]
  const what =
    records.length === 0
      ? 'no records: expected objects of fields'
      : `no known format has records of ${fields.slice(0, 12).join(', ')}; name it with --format, and its columns with --columns`
  throw new DataError(what, { file })
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
