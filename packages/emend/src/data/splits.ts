/** From texts to prompts to continue, and from a folder of splits to its files. */

import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isSeparator, words } from '@emend/edits'
import { DataError } from '../errors.js'

/** A text cut in two: `prompt + rest` is the text. */
export interface Continuation {
  readonly prompt: string
  readonly rest: string
}

/**
 * Cuts a text after the first third of its words, for a policy to continue.
 *
 * Words are those of the diff (`words` of `@emend/edits`: in scripts without spaces each character) that hold more than
 * white space and punctuation. Of n ≥ 2 words the prompt has max(1, ⌊n/3⌋), with the punctuation that follows its last one
 * and all that stands before; the rest begins with the white space or word after it, so that a byte-level tokenizer cuts both
 * parts as it would cut the whole. Where nothing would be left to continue (fewer than two words) the prompt is empty.
 * Surrogate pairs, combining marks and joined emoji stay whole.
 */
export function firstThird(text: string): Continuation {
  const pieces = words(text)
  const n = pieces.filter(piece => !isSeparator(piece)).length
  const wanted = n < 2 ? 0 : Math.max(1, Math.floor(n / 3))
  if (wanted === 0) return { prompt: '', rest: text }
  let cut = 0
  let seen = 0
  for (const piece of pieces) {
    if (seen === wanted && !/^[\p{P}\p{M}\u200d]/u.test(piece)) break
    if (seen < wanted && !isSeparator(piece)) seen++
    cut += piece.length
  }
  return cut === text.length ? { prompt: '', rest: text } : { prompt: text.slice(0, cut), rest: text.slice(cut) }
}

/** The splits of a data set, and what else their files are called. */
const SPLITS = { train: ['train'], dev: ['dev', 'validation', 'valid', 'val'], test: ['test'] } as const

/** A part of a data set. */
export type Split = keyof typeof SPLITS

/**
 * The file of one split of a data set.
 * @param path a folder holding `train`, `dev` (or `validation`, `valid`, `val`) and `test` as `.jsonl` or `.json`, plain or
 *   `.gz`; or a file, which is given back as it is
 * @throws DataError where there is none, or more than one
 */
export async function splitFile(path: string, split: Split): Promise<string> {
  if (!existsSync(path)) throw new DataError('no such file or folder; check the path', { file: path })
  if (!(await stat(path)).isDirectory()) return path
  const names = SPLITS[split].flatMap(name => ['.jsonl', '.json', '.jsonl.gz', '.json.gz'].map(end => name + end))
  const found = names.filter(name => existsSync(join(path, name)))
  if (found.length === 1) return join(path, found[0]!)
  throw new DataError(
    found.length === 0
      ? `no ${split} split: expected ${SPLITS[split].map(name => `${name}.jsonl`).join(' or ')} in the folder`
      : `several ${split} splits: ${found.join(', ')}; name the file`,
    { file: path },
  )
}
