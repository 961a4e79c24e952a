/** Records that are longer than a model reads, found before any work and named by their place in the file. */
import { DataError } from '../errors.js'

/**
 * @param lines of each record in the file
 * @param lengths of each record in tokens, all that is read at once
 * @throws DataError at the first that is longer than the context
 */
export function refuseLong(file: string, lines: readonly number[], lengths: readonly number[], context: number): void {
  const i = lengths.findIndex(length => length > context)
  if (i < 0) return
  const what = `${lengths[i]} tokens, and the model reads ${context} at once; shorten the record or leave it out`
  throw new DataError(what, { file, ...(lines[i] !== undefined && { line: lines[i] }) })
}
