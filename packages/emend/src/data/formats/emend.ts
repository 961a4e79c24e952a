/** Emend's own record of an edit, with its operations: nothing is lost. */

import { diffTexts, type Edit, parseEdit } from '@emend/edits'
import { DataError } from '../../errors.js'
import { optionalText, presentField, promptField, type SourceRecord } from '../fields.js'
import { LONG_AGO, UNKNOWN } from '../store/edits.js'
import { storeId } from '../store/identity.js'
import type { EditEntry } from './entry.js'
import type { Format } from './format.js'
import { rest } from './text.js'

const KNOWN = ['id', 'prompt', 'draft', 'final', 'ops', 'by', 'at', 'seconds', 'reasons', 'sampled', 'preferred']

export const emend: Format = {
  name: 'emend',
  about: "Emend's own edits: {id, prompt, draft, final, ops, by, at, seconds?, reasons?, sampled?, preferred?}",
  container: 'jsonl',
  carries: {
    edit: ['prompt', 'chat', 'draft', 'final', 'preferred', 'reasons', 'by', 'at', 'seconds', 'ops', 'sampled', 'rest'],
  },
  detect: ({ draft, final, ops }) => typeof draft === 'string' && typeof final === 'string' && Array.isArray(ops),
  read(record) {
    const { id, ...known } = parsed(record)
    const preferred = optionalText(record, 'preferred')
    const entry: EditEntry = {
      kind: 'edit',
      ...known,
      ...(preferred !== undefined && { preferred }),
      ...rest(record, KNOWN),
    }
    return id === editId(entry) ? entry : { ...entry, form: { id } }
  },
  redacted(fields, before) {
    const { sampled, ...others } = fields
    const { draft, final } = fields
    if (typeof draft !== 'string' || typeof final !== 'string') return fields
    if (draft === before['draft'] && final === before['final']) return fields
    // Operations count in both texts; token ids spell the draft that was redacted.
    const ops = diffTexts(draft, final)
    return { ...others, ops, ...(draft === before['draft'] && sampled !== undefined && { sampled }) }
  },
  write(entry) {
    if (entry.kind !== 'edit') return 'it is no edit'
    const { kind: _, form, rest, ...known } = entry
    const { ops = diffTexts(entry.draft, entry.final), by = UNKNOWN, at = LONG_AGO } = entry
    return { ...rest, ...known, ops, by, at, id: form?.['id'] ?? editId(entry) }
  },
}

/** The edit of a record. @throws DataError naming the field */
function parsed(record: SourceRecord): Edit {
  for (const field of KNOWN.slice(0, KNOWN.indexOf('seconds'))) presentField(record, field)
  promptField(record, 'prompt')
  try {
    return parseEdit(record.fields, 'record')
  } catch (cause) {
    const { file, line } = record
    const [, field, what] = /^record: field ([\w.[\]]+):? (.*)$/s.exec((cause as Error).message) ?? []
    throw new DataError(what ?? (cause as Error).message, { file, line, ...(field && { field }) }, { cause })
  }
}

/** The identity of an edit by its content. */
export function editId({ prompt, draft, final, by, reasons, sampled }: EditEntry): string {
  return storeId('edit', prompt, draft, final, by, reasons, sampled)
}
