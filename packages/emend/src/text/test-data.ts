/** Where tests find real data that is no part of the tree; what is absent is skipped, with the reason printed. */

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const repository = fileURLToPath(new URL('../../../..', import.meta.url))

/** The folder named by EMEND_DATA, or a `data` folder with tokenizers in it that lies in a neighbour of the repository. */
const folder = process.env['EMEND_DATA'] ?? neighbour()

function neighbour(): string | undefined {
  const around = join(repository, '..')
  const candidates = readdirSync(around).map(name => join(around, name, 'data'))
  return candidates.find(data => existsSync(join(data, 'tokenizers')))
}

/**
 * Path of a real file, such as `testData('tokenizers', 'gpt2', 'tokenizer.json')`.
 * @returns undefined where it is absent, after printing why the test that wants it is skipped
 */
export function testData(...parts: readonly string[]): string | undefined {
  const path = folder && join(folder, ...parts)
  if (path && existsSync(path)) return path
  console.warn(`skipped: no real data ${parts.join('/')} (set EMEND_DATA to the folder that holds it)`)
  return undefined
}
