/** Edits as they are stored, and as records. */

import { diffTexts, type Edit, type Prompt } from '@emend/edits'
import { type Kysely, sql } from 'kysely'
import { promptOf, rowOf } from './by-id.js'
import type { Tables } from './schema.js'

/** Who edited, where no record says. */
export const UNKNOWN: Edit['by'] = { kind: 'person', name: 'unknown' }
/** When, where no record says: the same every time. */
export const LONG_AGO = '1970-01-01T00:00:00Z'

/** Edits joined with prompt and annotator. */
export function selectEdits(db: Kysely<Tables>) {
  return db
    .selectFrom('edits')
    .innerJoin('prompts', promptOf('edits'))
    .leftJoin('annotators', 'annotators.id', 'edits.annotator')
    .selectAll('edits')
    .select(['prompts.prompt as promptJson', 'annotators.kind', 'annotators.name', 'annotators.version'])
}

/** A row of {@link selectEdits}. */
export type EditRow = Awaited<ReturnType<ReturnType<typeof selectEdits>['executeTakeFirstOrThrow']>>

/**
 * The record of a row. Operations that were not stored are found again; an annotator who is not known is a person of that name,
 * and a time that is not known is 1970-01-01.
 */
export function editOf(row: EditRow): Edit {
  const { id, draft, final, kind, name, version, seconds } = row
  return {
    id,
    prompt: JSON.parse(row.promptJson) as Prompt,
    draft,
    final,
    ops: row.ops ? (JSON.parse(row.ops) as Edit['ops']) : diffTexts(draft, final),
    by: kind && name !== null ? { kind, name, ...(version !== null && { version }) } : UNKNOWN,
    at: row.at ?? LONG_AGO,
    ...(seconds !== null && { seconds }),
    ...(row.reasons && { reasons: JSON.parse(row.reasons) as string[] }),
    ...(row.sampled && { sampled: JSON.parse(row.sampled) as Edit['sampled'] }),
  }
}

/** One edit, current or not; undefined where there is none of that id. */
export async function readEdit(db: Kysely<Tables>, id: string): Promise<Edit | undefined> {
  const row = await selectEdits(db)
    .where('edits.n', '=', rowOf('edits', sql.val(id)))
    .executeTakeFirst()
  return row && editOf(row)
}
