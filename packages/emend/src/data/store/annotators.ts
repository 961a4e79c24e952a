/** Who edits: people, and scripts or models on the same queue. */

import type { Edit } from '@emend/edits'
import type { Kysely } from 'kysely'
import { storeId } from './identity.js'
import type { Tables } from './schema.js'

/** A person's name, or all that is known of an annotator. */
export type Annotator =
  | string
  | (Omit<Edit['by'], 'kind'> & {
      /** Default `person`. */
      readonly kind?: Edit['by']['kind']
      /** Tells several windows of one annotator apart, so that no two of them hold one item. */
      readonly window?: string
    })

/** As stored: `window` null where there is but one. */
export function annotatorOf(who: Annotator): Edit['by'] & { readonly window: string | null } {
  const { kind = 'person', name, version, window = null } = typeof who === 'string' ? { name: who } : who
  return { kind, name, ...(version !== undefined && { version }), window }
}

/** The id of an annotator, whose row is made if it is new. */
export async function recordAnnotator(db: Kysely<Tables>, { kind, name, version }: Edit['by']): Promise<string> {
  const id = annotatorId({ kind, name, ...(version !== undefined && { version }) })
  await db
    .insertInto('annotators')
    .values({ id, kind, name, version: version ?? null })
    .onConflict(conflict => conflict.doNothing())
    .execute()
  return id
}

/** Of kind, name and version. */
export const annotatorId = ({ kind, name, version }: Edit['by']): string => storeId('annotator', kind, name, version)
