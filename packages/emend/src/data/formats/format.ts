/** A format of training data: how its records are told, read and written. One file each; a line in `index.ts` makes it known. */

import type { Tokenizer } from '../../text/tokenizer.js'
import type { SourceRecord } from '../fields.js'
import type { Container } from './containers/container.js'
import type { Entry, EntryField, Kind } from './entry.js'

/** What columns are called, where a format leaves it open. */
export type Columns = Readonly<Record<string, string>>

/** What a format may be told. */
export interface FormatOptions {
  readonly columns?: Columns
}

/** What a writer may need besides. */
export interface WriteOptions extends FormatOptions {
  readonly tokenizer?: Tokenizer
}

/** A record to be written. */
export type Fields = Readonly<Record<string, unknown>>

export interface Format {
  readonly name: string
  /** In a few words, for lists. */
  readonly about: string
  /** The kind of file it usually comes in. */
  readonly container: Container
  /** Names that `columns` may rename, if any. */
  readonly columns?: readonly string[]
  /** Of those the ones that are left out where others have been named. */
  readonly named?: readonly string[]
  /** Whether a record looks like this format; the first that says so of half of the first records is taken. */
  detect?(fields: Fields): boolean
  /**
   * Reads a record.
   * @returns entries, or a few words on why it holds none
   * @throws DataError naming file, line and field where it is malformed
   */
  read?(record: SourceRecord, options: FormatOptions): Entry | readonly Entry[] | string
  /** Mends what a redaction cannot: fields that tell of the texts as they were before it. */
  redacted?(fields: Fields, before: Fields): Fields
  /** What survives of each kind of entry it can be written from. */
  readonly carries: Readonly<Partial<Record<Kind, readonly EntryField[]>>>
  /** Writes an entry of a kind it carries. @returns the record, or a few words on why the entry cannot be held */
  write?(entry: Entry, options: WriteOptions): Fields | string
  /** In place of `write`, where many entries are written at once. */
  writeAll?(entries: AsyncIterable<Entry>, options: WriteOptions): AsyncIterable<Fields | string>
}
