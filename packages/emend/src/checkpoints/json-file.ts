/** JSON files of a model folder. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EmendError } from '../errors.js'
import { writeAtomically } from '../pipeline/atomic-file.js'

/** @throws EmendError naming the file that cannot be read or is no JSON */
export function readJson(path: string): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new EmendError(`${path}: cannot be read: ${(cause as Error).message}`, { cause })
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new EmendError(`${path}: got no JSON: ${(cause as Error).message.replace(/\s+/g, ' ')}`, { cause })
  }
}

export const writeJson = (folder: string, name: string, value: unknown): void =>
  writeAtomically(join(folder, name), `${JSON.stringify(value, null, 2)}\n`)
