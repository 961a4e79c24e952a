/** Where tests find SmolLM2-135M-Instruct, which is no part of the tree. */

import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const NAME = 'SmolLM2-135M-Instruct.Q4_1.gguf'

/**
 * Path of the GGUF file that scripts/fetch-smollm2.mjs fetches.
 * @returns undefined where it is absent, after printing why the test that wants it is skipped
 */
export function smolLm2(): string | undefined {
  const home = process.env['EMEND_HOME'] || join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'emend')
  const path = join(home, 'models', NAME)
  if (existsSync(path)) return path
  console.warn(`skipped: no ${NAME} (fetch it with node scripts/fetch-smollm2.mjs)`)
  return undefined
}
