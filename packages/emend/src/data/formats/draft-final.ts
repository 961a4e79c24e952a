/** Plain edits under any column names: `{prompt?, draft, final, reasons?, at?}`. */

import { iteraterColumns } from '../drafts.js'
import { textField, textsField, timeField } from '../fields.js'
import type { Columns, Fields, Format, FormatOptions } from './format.js'
import { optionalPrompt, rest } from './text.js'

const PLAIN: Columns = { prompt: 'prompt', draft: 'draft', final: 'final', reasons: 'reasons', at: 'at' }
const iterater = iteraterColumns as unknown as Columns

export const draftFinal: Format = {
  name: 'draft-final',
  about: 'plain edits: {prompt?, draft, final, reasons?, at?}, or any other names with --columns; IteraTeR as it is',
  container: 'jsonl',
  columns: Object.keys(PLAIN),
  named: ['prompt', 'reasons', 'at'],
  carries: { edit: ['prompt', 'chat', 'draft', 'final', 'reasons', 'at', 'rest'] },
  detect: fields =>
    [PLAIN, iterater].some(
      names => typeof fields[names['draft']!] === 'string' && typeof fields[names['final']!] === 'string',
    ),
  read(record, options) {
    const names = columnsOf(options, record.fields)
    const reasons = names['reasons'] === undefined ? undefined : textsField(record, names['reasons'])
    const at = names['at'] === undefined ? undefined : timeField(record, names['at'])
    const one = names['reasons'] !== undefined && typeof record.fields[names['reasons']] === 'string'
    return {
      kind: 'edit',
      prompt: names['prompt'] === undefined ? '' : optionalPrompt(record, names['prompt']),
      draft: textField(record, names['draft']!),
      final: textField(record, names['final']!),
      ...(reasons && { reasons }),
      ...(at !== undefined && { at }),
      ...(one && { form: { one } }),
      ...rest(record, Object.values(names)),
    }
  },
  write(entry, options) {
    if (entry.kind !== 'edit') return 'it is no edit'
    const { prompt, draft, final, reasons, at, rest } = entry
    const names = columnsOf(options, rest ?? {})
    const fields: Record<string, unknown> = { ...rest }
    const put = (name: string, value: unknown) => {
      const column = names[name]
      if (value !== undefined && column !== undefined) fields[column] = value
    }
    put('prompt', prompt === '' ? undefined : prompt)
    put('draft', draft)
    put('final', final)
    put('reasons', entry.form?.['one'] ? reasons?.[0] : reasons)
    put('at', at)
    return fields
  },
}

/** Names that were given, and of what must be there the plain ones; else all plain, or IteraTeR's where those stand in the record. */
function columnsOf({ columns }: FormatOptions, fields: Fields): Columns {
  if (columns) return { draft: 'draft', final: 'final', ...columns }
  return !Object.hasOwn(fields, 'draft') && Object.hasOwn(fields, iterater['draft']!) ? iterater : PLAIN
}
