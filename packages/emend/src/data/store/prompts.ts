/** Prompts, each stored once. */

import type { Prompt } from '@emend/edits'
import type { Transaction } from 'kysely'
import { insertRow } from './by-id.js'
import { storeId } from './identity.js'
import type { Tables } from './schema.js'

/** The id of a prompt, whose row is made if it is new. */
export async function insertPrompt(trx: Transaction<Tables>, prompt: Prompt): Promise<string> {
  const id = promptId(prompt)
  await insertRow(trx, 'prompts', { id, prompt: JSON.stringify(prompt) })
  return id
}

/** By content. */
export const promptId = (prompt: Prompt): string => storeId('prompt', prompt)
