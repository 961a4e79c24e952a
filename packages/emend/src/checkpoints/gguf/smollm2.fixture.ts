/** Where tests find SmolLM2-135M-Instruct and llama.cpp, which are no part of the tree. */

import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NAME = 'SmolLM2-135M-Instruct.Q4_1.gguf'
const home = process.env['EMEND_HOME'] || join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'emend')

/**
 * Path of the GGUF file that scripts/fetch-smollm2.mjs fetches.
 * @returns undefined where it is absent, after printing why the test that wants it is skipped
 */
export function smolLm2(): string | undefined {
  const path = join(home, 'models', NAME)
  if (existsSync(path)) return path
  console.warn(`skipped: no ${NAME} (fetch it with node scripts/fetch-smollm2.mjs)`)
  return undefined
}

/**
 * The module of node-llama-cpp, in the folder that EMEND_LLAMA_CPP names, in this tree, or where scripts/check-smollm2.mjs
 * installs it. It is no dependency: it weighs up to 700 MB.
 * @returns undefined where it is absent, after printing why the test that wants it is skipped
 */
export function llamaCpp(): string | undefined {
  const tree = fileURLToPath(new URL('../../../../..', import.meta.url))
  const places = [process.env['EMEND_LLAMA_CPP'], tree, join(home, 'node-llama-cpp')]
  for (const place of places) {
    const path = place && join(place, 'node_modules/node-llama-cpp/dist/index.js')
    if (path && existsSync(path)) return path
  }
  console.warn('skipped: no node-llama-cpp (npm run check:smollm2 installs it in the private folder)')
  return undefined
}
