/** Where tests find real data that is no part of the tree; what is absent is skipped, with the reason printed. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder named by EMEND_DATA, or `../shared/data` beside the repository. */
const folder =
  process.env['EMEND_DATA'] ?? join(fileURLToPath(new URL('../../../..', import.meta.url)), '../shared/data')

/**
 * Path of a real file, such as `testData('tokenizers', 'gpt2', 'tokenizer.json')`.
 * @returns undefined where it is absent, after printing why the test that wants it is skipped
 */
export function testData(...parts: readonly string[]): string | undefined {
  const path = join(folder, ...parts)
  if (existsSync(path)) return path
  console.warn(`skipped: no real data ${parts.join('/')} (set EMEND_DATA to the folder that holds it)`)
  return undefined
}
