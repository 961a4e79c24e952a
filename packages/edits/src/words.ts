/** Text → words by a versioned regular expression of our own, in linear time (Intl.Segmenter is quadratic in Node 20). */

/** Raised whenever the expression below changes, since stored operations were made with it. */
export const WORDS_VERSION = 1

// Scripts written without spaces between words: each character stands for itself.
const SPACELESS =
  '\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}\\p{sc=Myanmar}\\p{sc=Tibetan}'
const START = `[[\\p{L}\\p{N}\\p{M}_]--[${SPACELESS}]]`

// Every alternative starts with a class that decides it, and no quantifier nests another over the same class: no backtracking
// worth its name. The last alternative takes any code point, so that the words joined give the text back.
const WORD = new RegExp(
  [
    `${START}+(?:['’]${START}+|(?<=\\p{N})[.,:](?=\\p{N})${START}+)*`, // don't, 12.50, 10:30
    `[${SPACELESS}]\\p{M}*`,
    '\\p{RI}\\p{RI}', // flags
    '\\p{ExtPict}[\\p{EMod}\\uFE0F]*(?:\\u200D\\p{ExtPict}[\\p{EMod}\\uFE0F]*)*', // emoji, families joined by ZWJ
    '\\r\\n|\\n|[\\s--\\n]+',
    '[^]',
  ].join('|'),
  'gv',
)

/** Splits a text into words, white space and single marks; joined they give the text back. Linear in its length. */
export function words(text: string): string[] {
  return text.match(WORD) ?? []
}

const SEPARATOR = /^[\s\p{P}]*$/u

/** Whether a piece of text holds nothing but white space and punctuation. */
export function isSeparator(text: string): boolean {
  return SEPARATOR.test(text)
}

const CHARACTER = /\P{M}\p{M}*|\p{M}/gu

/** Splits a text into code points, each with the combining marks that follow it. */
export function characters(text: string): string[] {
  return text.match(CHARACTER) ?? []
}
