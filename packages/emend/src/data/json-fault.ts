/** Where a text stops being JSON: V8's own message names no place for most faults. */

/** The first place that no valid JSON could have. */
export interface JsonFault {
  /** UTF-16 units before it; the text's length where it ends too early. */
  readonly at: number
  /** What could have stood there, in words. */
  readonly expected: string
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const LITERAL = /true|false|null/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

type Place = 'value' | 'value or ]' | 'key' | 'key or }' | 'colon' | 'end'

/**
 * Finds the first fault of a text that should be one JSON value (RFC 8259). Without recursion, in linear time.
 * @returns undefined if it is JSON
 */
export function jsonFault(text: string): JsonFault | undefined {
  const open: ('{' | '[')[] = []
  let place: Place = 'value'
  let at = 0
  for (;;) {
    while (' \t\n\r'.includes(text[at] ?? '-')) at++
    const char = text[at]
    if (place === 'end') {
      const inside = open.at(-1)
      if (!inside) return char === undefined ? undefined : { at, expected: 'the end of the line' }
      if (char === (inside === '{' ? '}' : ']')) open.pop()
      else if (char === ',') place = inside === '{' ? 'key' : 'value'
      else return { at, expected: inside === '{' ? '"," or "}"' : '"," or "]"' }
      at++
    } else if (place === 'colon') {
      if (char !== ':') return { at, expected: '":"' }
      place = 'value'
      at++
    } else if (place === 'key' || place === 'key or }') {
      if (char === '}' && place === 'key or }') {
        open.pop()
        place = 'end'
        at++
        continue
      }
      if (char !== '"')
        return { at, expected: place === 'key' ? 'a key in double quotes' : 'a key in double quotes or "}"' }
      const string = stringEnd(text, at)
      if (typeof string !== 'number') return string
      at = string
      place = 'colon'
    } else if (char === ']' && place === 'value or ]') {
      open.pop()
      place = 'end'
      at++
    } else if (char === '{' || char === '[') {
      open.push(char)
      place = char === '{' ? 'key or }' : 'value or ]'
      at++
    } else {
      const end = char === '"' ? stringEnd(text, at) : (match(NUMBER, text, at) ?? match(LITERAL, text, at))
      if (end === undefined) return { at, expected: place === 'value' ? 'a value' : 'a value or "]"' }
      if (typeof end !== 'number') return end
      at = end
      place = 'end'
    }
  }
}

/** The index after the string that opens at `at`, or its fault. */
function stringEnd(text: string, at: number): number | JsonFault {
  for (let i = at + 1; i < text.length; ) {
    const code = text.charCodeAt(i)
    if (code === 0x22) return i + 1
    if (code < 0x20) return { at: i, expected: 'no bare control character in a string (write \\n, \\t or \\u00XX)' }
    if (code === 0x5c) {
      const end = match(ESCAPE, text, i)
      if (end === undefined)
        return { at: i, expected: 'an escape that JSON knows (\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX)' }
      i = end
    } else i++
  }
  return { at: text.length, expected: `the closing quote of the string that opens at column ${at + 1}` }
}

function match(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : undefined
}
