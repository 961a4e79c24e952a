/** Prompts, each stored once. */

import type { Prompt } from '@emend/edits'
import type { Kysely } from 'kysely'
import { storeId } from './identity.js'
import type { Tables } from './schema.js'

/** The id of a prompt, whose row is made if it is new. */
export async function insertPrompt(db: Kysely<Tables>, prompt: Prompt): Promise<string> {
  const id = promptId(prompt)
  await db
    .insertInto('prompts')
    .values({ id, prompt: JSON.stringify(prompt) })
    .onConflict(conflict => conflict.doNothing())
    .execute()
  return id
}

/** By content. */
export const promptId = (prompt: Prompt): string => storeId('prompt', prompt)
