/** Reads a file record by record: stops at the first broken one, or sets it aside and counts it. Nothing is lost unsaid. */

import { DataError } from '../errors.js'
import { asRecord, type SourceRecord } from './fields.js'
import { type JsonLine, readRecords } from './jsonl.js'
import type { BrokenLine } from './lines.js'

/** What to do with a record that cannot be read: `stop` throws its error, `skip` sets it aside and goes on. */
export type OnBad = 'stop' | 'skip'

/** A record that was not kept, and why. */
export interface SetAside<Why extends string = string> {
  readonly line: number
  readonly why: Why | 'broken'
  /** The error of a broken record. */
  readonly message?: string
}

/** What became of the records of a file: read = kept + set aside. */
export interface ReadReport<Why extends string = string> {
  readonly file: string
  readonly read: number
  readonly kept: number
  readonly broken: number
  readonly setAside: readonly SetAside<Why>[]
}

/**
 * Takes every record of a file through `keep`, which gives back the item, or says in a word why it is set aside.
 * @returns the items, the line of each, and what became of the others
 * @param rows where the records come from, if not the file by its name
 * @throws DataError of the first broken record with `stop`; whatever `keep` throws that is no DataError
 */
export async function readAll<Item extends object, Why extends string>(
  path: string,
  onBad: OnBad,
  keep: (record: SourceRecord) => Item | Why,
  rows: AsyncIterable<JsonLine | BrokenLine> = readRecords(path),
): Promise<{ items: Item[]; lines: number[]; report: ReadReport<Why> }> {
  const items: Item[] = []
  const lines: number[] = []
  const setAside: SetAside<Why>[] = []
  let read = 0
  for await (const row of rows) {
    read++
    try {
      if ('error' in row) throw row.error
      const kept = keep(asRecord(row.value, path, row.line))
      if (typeof kept === 'string') setAside.push({ line: row.line, why: kept })
      else {
        items.push(kept)
        lines.push(row.line)
      }
    } catch (error) {
      if (onBad === 'stop' || !(error instanceof DataError)) throw error
      setAside.push({ line: row.line, why: 'broken', message: error.message })
    }
  }
  const broken = setAside.filter(row => row.why === 'broken').length
  return { items, lines, report: { file: path, read, kept: items.length, broken, setAside } }
}

/** How many records were not kept, by why: `3 unchanged, 1 broken`. */
export function describeSetAside(setAside: readonly SetAside[]): string {
  const counts = new Map<string, number>()
  for (const { why } of setAside) counts.set(why, (counts.get(why) ?? 0) + 1)
  return [...counts].map(([why, n]) => `${n} ${why}`).join(', ')
}

/** @throws DataError where nothing of a file was kept, for whoever has nothing to do without */
export function refuseEmpty({ file, read, kept, setAside }: ReadReport<string>): void {
  if (kept > 0) return
  const what = read === 0 ? 'no records' : `none of its ${read} records is of use (${describeSetAside(setAside)})`
  throw new DataError(`${what}; expected at least one`, { file })
}

/** Counts the items whose identity stood earlier. */
export function countDuplicates(identities: readonly string[]): number {
  return identities.length - new Set(identities).size
}
