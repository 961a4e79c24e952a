/** Drafts and their final texts, from JSON Lines under any column names, as edits. */

import { checkEdit, type Edit, makeEdit, parseEdit } from '@emend/edits'
import { DataError } from '../errors.js'
import { promptField, type SourceRecord, textField, textsField, timeField } from './fields.js'
import { countDuplicates, type OnBad, type ReadReport, readAll } from './reading.js'
import { editRows } from './stored.js'

/** What the columns of a file are called. */
export interface EditColumns {
  readonly draft: string
  readonly final: string
  readonly prompt?: string
  /** Text or a list of texts. */
  readonly reasons?: string
  /** ISO 8601 */
  readonly at?: string
}

/** IteraTeR's human sentence revisions (Du et al., ACL 2022). */
export const iteraterColumns: EditColumns = { draft: 'before_sent', final: 'after_sent', reasons: 'labels' }

/** How drafts are read. */
export interface ReadEditsOptions {
  /** Default: draft, final, and prompt, reasons, at where they are there; stored records (with `ops`) are read as they are. */
  readonly columns?: EditColumns
  /** Who edited. Default: a person of unknown name. */
  readonly annotator?: Edit['by']
  /** When, for records that do not say; ISO 8601. Default: 1970-01-01, which says "unknown" and is the same every time. */
  readonly at?: string
  /** Default `stop`. */
  readonly onBad?: OnBad
  /** Whether white space at both ends of each side is cut off; default true. */
  readonly trim?: boolean
  /** Whether edits with an empty side (a sentence added or removed whole) are kept; default true. */
  readonly keepEmpty?: boolean
  /** Highest edit ratio over words (no tokenizer is known yet); default 0.4. */
  readonly budget?: number
  /** Whether edits over the budget are kept; default true: flagged and counted, since a file of edits is what people did. */
  readonly keepOverBudget?: boolean
}

/** What became of the records: read = kept + unchanged + broken + those set aside as empty or over the budget. */
export interface EditsReport extends ReadReport<'unchanged' | 'empty' | 'over-budget'> {
  /** Set aside: both sides are the same (after trimming). */
  readonly unchanged: number
  /** Draft or final is empty, kept or not. */
  readonly empty: number
  /** The word edit ratio exceeds the budget, kept or not. */
  readonly overBudget: number
  /** Records of which a side was trimmed. */
  readonly trimmed: number
  /** Lone surrogates replaced by U+FFFD in drafts and finals. */
  readonly repaired: number
  /** Kept edits whose content stood earlier in the file; they have the same id. */
  readonly duplicates: number
}

/**
 * Reads edits.
 *
 * Each side is trimmed by itself: white space at the ends of a sentence is an accident of cutting a document, and an edit of
 * it alone is none. White space inside stays. Identical sides are set aside, and everything set aside is listed by line.
 *
 * @param path JSON Lines, or a JSON array in a `.json` file; `.gz` is unpacked; or a store (`emend import`, `emend studio`)
 * @returns the edits, and the line of each
 * @throws DataError naming file, line and field, with got and expected, at the first broken record (`onBad: 'stop'`)
 */
export async function readEdits(
  path: string,
  options: ReadEditsOptions = {},
): Promise<{ edits: Edit[]; lines: number[]; report: EditsReport }> {
  const { onBad = 'stop', keepEmpty = true, keepOverBudget = true, budget = 0.4 } = options
  const found = { unchanged: 0, empty: 0, overBudget: 0, trimmed: 0, repaired: 0 }
  const { items, lines, report } = await readAll<Edit, 'unchanged' | 'empty' | 'over-budget'>(
    path,
    onBad,
    record => {
      const { draft, final, trimmed, make } = sides(record, options)
      if (trimmed) found.trimmed++
      if (draft === final) {
        found.unchanged++
        return 'unchanged'
      }
      const empty = draft.trim() === '' || final.trim() === ''
      if (empty) {
        found.empty++
        if (!keepEmpty) return 'empty'
      }
      const { edit, repaired } = make()
      found.repaired += repaired
      if (checkEdit(edit, { maxRatio: budget }).flags.includes('over-budget')) {
        found.overBudget++
        if (!keepOverBudget) return 'over-budget'
      }
      return edit
    },
    editRows(path),
  )
  return {
    edits: items,
    lines,
    report: { ...report, ...found, duplicates: countDuplicates(items.map(edit => edit.id)) },
  }
}

interface Sides {
  readonly draft: string
  readonly final: string
  readonly trimmed: boolean
  make(): { edit: Edit; repaired: number }
}

const UNKNOWN: Edit['by'] = { kind: 'person', name: 'unknown' }
const LONG_AGO = '1970-01-01T00:00:00Z'

function sides(record: SourceRecord, options: ReadEditsOptions): Sides {
  if (!options.columns && Object.hasOwn(record.fields, 'ops')) {
    const edit = named(record, () => parseEdit(record.fields, 'record'))
    return { draft: edit.draft, final: edit.final, trimmed: false, make: () => ({ edit, repaired: 0 }) }
  }
  const { annotator: by = UNKNOWN, trim = true } = options
  const columns = options.columns ?? columnsOf(record)
  const rawDraft = textField(record, columns.draft)
  const rawFinal = textField(record, columns.final)
  const draft = trim ? rawDraft.trim() : rawDraft
  const final = trim ? rawFinal.trim() : rawFinal
  const prompt = columns.prompt === undefined ? '' : promptField(record, columns.prompt)
  const reasons = columns.reasons === undefined ? undefined : textsField(record, columns.reasons)
  const at = (columns.at === undefined ? undefined : timeField(record, columns.at)) ?? options.at ?? LONG_AGO
  return {
    draft,
    final,
    trimmed: draft !== rawDraft || final !== rawFinal,
    make: () => named(record, () => makeEdit({ draft, final, prompt, by, at, ...(reasons && { reasons }) })),
  }
}

/** The plain names, of which only draft and final must be there. */
function columnsOf({ fields }: SourceRecord): EditColumns {
  const optional = (['prompt', 'reasons', 'at'] as const).filter(field => Object.hasOwn(fields, field))
  return { draft: 'draft', final: 'final', ...Object.fromEntries(optional.map(field => [field, field])) }
}

/** An error about the content of a record gets its place. */
function named<T>({ file, line }: SourceRecord, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw new DataError((error as Error).message, { file, line }, { cause: error })
  }
}
