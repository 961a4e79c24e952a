/** JSON.parse that loses no digits: a number that V8 would round or call infinite is text. */

const QUOTE = 0x22
const BACKSLASH = 0x5c
/** What such a number has in it; most texts have not, and are parsed once. */
const SUSPECT = /\d{16}|\d[eE]\+?\d{3}/
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y

/** A value, and how many of its numbers are text, if any are. */
export interface ExactJson {
  readonly value: unknown
  readonly asText?: number
}

/** @throws SyntaxError as `JSON.parse` does */
export function parseExactly(text: string): ExactJson {
  const value: unknown = JSON.parse(text)
  if (!SUSPECT.test(text)) return { value }
  const pieces: string[] = []
  let asText = 0
  let done = 0
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = stringEnd(text, at)
    else if (code === 0x2d || (code >= 0x30 && code <= 0x39)) {
      NUMBER.lastIndex = at
      const number = NUMBER.exec(text)![0]
      if (!held(number)) {
        pieces.push(text.slice(done, at), '"', number, '"')
        done = at + number.length
        asText++
      }
      at += number.length
    } else at++
  }
  return asText === 0 ? { value } : { value: JSON.parse(pieces.join('') + text.slice(done)), asText }
}

/** Whether a number comes back as it is written; a fraction is the nearest one, as everywhere. */
function held(number: string): boolean {
  const value = Number(number)
  return /[.eE]/.test(number) ? Number.isFinite(value) : Number.isSafeInteger(value) || String(value) === number
}

/** The index after the string that opens at `at`, of a text that is JSON. */
function stringEnd(text: string, at: number): number {
  let end = at + 1
  for (let code = text.charCodeAt(end); code !== QUOTE; code = text.charCodeAt(end)) end += code === BACKSLASH ? 2 : 1
  return end + 1
}
