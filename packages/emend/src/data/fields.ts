/** Typed fields of a record read from a file, with errors that name file, line, field, what was got and what was expected. */

import { describeIssues, editSchema, type Prompt, promptSchema } from '@emend/edits'
import { DataError } from '../errors.js'
import { described } from './jsonl.js'

/** A record and where it stands. */
export interface SourceRecord {
  readonly file: string
  /** Line of a JSON Lines file, number in a JSON array; counted from 1. */
  readonly line: number
  readonly fields: Readonly<Record<string, unknown>>
}

/** The value as a record. @throws DataError if it is no object */
export function asRecord(value: unknown, file: string, line: number): SourceRecord {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new DataError(`expected an object of fields, got ${described(value)}`, { file, line })
  return { file, line, fields: value as Record<string, unknown> }
}

/** A field that must be text. @throws DataError if it is absent or anything else */
export function textField(record: SourceRecord, field: string): string {
  const value = presentField(record, field)
  if (typeof value !== 'string') throw wrong(record, field, 'expected text', value)
  return value
}

/** A field that may be absent or null, and is text otherwise. */
export function optionalText(record: SourceRecord, field: string): string | undefined {
  return own(record, field) == null ? undefined : textField(record, field)
}

const { at: timeSchema } = editSchema.unwrap().shape

/** A time that may be absent, null or empty (as in CSV), and is what an edit takes otherwise. */
export function timeField(record: SourceRecord, field: string): string | undefined {
  const value = optionalText(record, field)
  if (!value || timeSchema.safeParse(value).success) return value || undefined
  throw wrong(record, field, 'expected ISO 8601 with its zone, such as 2024-01-05T10:00:00Z', value)
}

/** A prompt: text, or turns of a chat. Lone surrogates are replaced, since they cannot live in UTF-8. */
export function promptField(record: SourceRecord, field: string): Prompt {
  const parsed = promptSchema.safeParse(wellFormed(presentField(record, field)))
  if (parsed.success) return parsed.data
  const turns = own(record, field)
  if (Array.isArray(turns) && turns.some(turn => Array.isArray(turn?.content)))
    throw malformed(
      record,
      field,
      'content in parts; join the texts of a turn into one, and leave out what has no text',
    )
  const why = Array.isArray(turns) ? ` (${describeIssues(parsed.error)})` : ''
  throw wrong(record, field, `expected text or turns of {role, content}${why}`, turns)
}

/** A field that may be absent, a text, or several texts. */
export function textsField(record: SourceRecord, field: string): string[] | undefined {
  const value = own(record, field)
  if (value == null) return undefined
  const texts: unknown[] = Array.isArray(value) ? value : [value]
  if (!texts.every(t => typeof t === 'string')) throw wrong(record, field, 'expected text or a list of texts', value)
  return texts
}

/** A field that must be there, whatever it is. @throws DataError naming the fields that are */
export function presentField(record: SourceRecord, field: string): unknown {
  const value = own(record, field)
  if (value !== undefined) return value
  const has = Object.keys(record.fields).join(', ') || 'no fields'
  throw new DataError(`missing: the record has ${has}; emend import --columns takes other names`, at(record, field))
}

/** The error for a field with a wrong value. */
export function wrong(record: SourceRecord, field: string, expected: string, got: unknown): DataError {
  return malformed(record, field, `${expected}, got ${described(got)}`)
}

/** The error for a field, in other words. */
export const malformed = (record: SourceRecord, field: string, what: string): DataError =>
  new DataError(what, at(record, field))

const at = (record: SourceRecord, field: string) => ({ file: record.file, line: record.line, field })

/** Own fields only: a column called `constructor` must not find Object's. */
const own = ({ fields }: SourceRecord, field: string) => (Object.hasOwn(fields, field) ? fields[field] : undefined)

function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(wellFormed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, wellFormed(inner)]))
}
