/** AlpacaEval's leaderboard files: CSV, a row a model, the best first. */

import { existsSync, readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import { csvLine } from '../data/formats/containers/csv.js'
import { DataError, oneLine } from '../errors.js'
import { writeAtomically } from '../pipeline/atomic-file.js'
import type { WinRate } from './winrate.js'

/** What is written of a win rate, in the order of a new file. */
const OURS = [
  'win_rate',
  'standard_error',
  'n_wins',
  'n_wins_base',
  'n_draws',
  'n_total',
  'discrete_win_rate',
  'avg_length',
] as const

/** A leaderboard as it stands in its file: the first column, which has no name in AlpacaEval's, is the model's. */
export interface Leaderboard {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** @throws DataError naming the file and the line: no CSV, rows of different lengths, no column win_rate, a rate that is no number */
export function readLeaderboard(path: string): Leaderboard {
  let table: string[][]
  try {
    table = parse(readFileSync(path, 'utf8'), { bom: true, skip_empty_lines: true })
  } catch (error) {
    throw new DataError(`not a leaderboard: ${oneLine(error)}`, { file: path }, { cause: error })
  }
  const [columns = [], ...rows] = table
  const rate = columns.indexOf('win_rate')
  if (rate < 1)
    throw new DataError(
      `not a leaderboard: expected a column win_rate after the model's name, got ${columns.join(', ')}`,
      {
        file: path,
        line: 1,
      },
    )
  for (const [i, row] of rows.entries())
    if (!Number.isFinite(Number.parseFloat(row[rate]!)))
      throw new DataError(`expected a number, got ${JSON.stringify(row[rate])}`, {
        file: path,
        line: i + 2,
        field: 'win_rate',
      })
  return { columns, rows }
}

/**
 * The leaderboard with a model's row, new or in the place of its old one, sorted by win rate. Columns that the file has beside ours
 * are kept; in a row that is replaced they are emptied, since they were computed from other judgements (`mode` stays).
 */
export function withRow({ columns, rows }: Leaderboard, name: string, winRate: WinRate): Leaderboard {
  const all = [...columns, ...OURS.filter(column => !columns.includes(column))]
  const old = rows.find(row => row[0] === name)
  const made = all.map((column, i) => {
    if (i === 0) return name
    const ours = OURS.find(one => one === column)
    if (ours) return Number.isFinite(winRate[ours]) ? String(winRate[ours]) : ''
    return column === 'mode' ? (old?.[i] ?? 'community') : ''
  })
  const rate = all.indexOf('win_rate')
  const others = rows.filter(row => row !== old).map(row => [...row, ...all.slice(row.length).map(() => '')])
  return {
    columns: all,
    rows: [...others, made].sort((a, b) => Number.parseFloat(b[rate]!) - Number.parseFloat(a[rate]!)),
  }
}

/** Where a model stands, counted from 1. */
export interface Place {
  readonly place: number
  readonly of: number
}

/** Adds or replaces a model's row in a file, made if it is not there; whoever reads it sees the old file or the new one. */
export function updateLeaderboard(path: string, name: string, winRate: WinRate): Place {
  const before = existsSync(path) ? readLeaderboard(path) : { columns: ['', ...OURS], rows: [] }
  const { columns, rows } = withRow(before, name, winRate)
  writeAtomically(path, [columns, ...rows].map(row => csvLine(row, ',')).join(''))
  return { place: rows.findIndex(row => row[0] === name) + 1, of: rows.length }
}
