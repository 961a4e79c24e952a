/** Texts that cannot fit a context whatever their tokens are: refused before anyone spends time on tokenising them. */
import type { Tokenizer } from '../text/tokenizer.js'
import { wrongField } from './api-error.js'

const longest = new WeakMap<Tokenizer, number>()

/** Bytes of the longest token, at least 64: some stand for any text that the vocabulary lacks. */
function longestToken(tokenizer: Tokenizer): number {
  const known = longest.get(tokenizer)
  if (known !== undefined) return known
  let most = 64
  for (let id = 0; id < tokenizer.vocabSize; id++) {
    try {
      most = Math.max(most, tokenizer.tokenBytes(id).length)
    } catch {
      // Vocabularies have holes.
    }
  }
  longest.set(tokenizer, most)
  return most
}

/** @throws ApiError for a text with more characters than the longest tokens could hold in that context */
export function checkCharacters(text: string, tokenizer: Tokenizer, context: number, param: string): void {
  if (text.length <= context * longestToken(tokenizer)) return
  throw wrongField(
    param,
    `got ${text.length} characters; the context of ${context} tokens cannot hold so many`,
    'context_length_exceeded',
  )
}
