/** A tokenizer of words, for labels without a model. */
import { type TokenizedText, words } from '@emend/edits'

/** Each word, with what separates it, is a token. */
export function splitWords(text: string): TokenizedText {
  const tile = [0]
  for (const word of words(text)) tile.push(tile.at(-1)! + word.length)
  const n = tile.length - 1
  return {
    text,
    ids: Int32Array.from({ length: n }, (_, i) => i),
    tile: Int32Array.from(tile),
    cover: Array.from({ length: n }, (_, i): [number, number] => [tile[i]!, tile[i + 1]!]),
    tokenizer: 'words',
  }
}
