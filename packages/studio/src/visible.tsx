/** Text of strangers: hidden and reordering characters as marks, everything else as it is. Text stays text. */

/** Controls (but tab and line feed), and all that changes the direction or the order of what follows. */
export const HIDDEN = /[^\P{Cc}\t\n]|[\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]|\p{Surrogate}/gu

/** The name of a character, such as `U+202E`. */
export const codeName = (code: number): string => `U+${code.toString(16).toUpperCase().padStart(4, '0')}`

export const Marked = ({ text }: { text: string }) => {
  const parts = []
  let at = 0
  for (const { 0: character, index } of text.matchAll(HIDDEN)) {
    parts.push(text.slice(at, index), <span class="mark">{codeName(character.codePointAt(0)!)}</span>)
    at = index + character.length
  }
  return (
    <>
      {parts}
      {text.slice(at)}
    </>
  )
}

/** The same as nodes of a document, for the editor. */
export function markedNodes(text: string): (string | HTMLElement)[] {
  const parts: (string | HTMLElement)[] = []
  let at = 0
  for (const { 0: character, index } of text.matchAll(HIDDEN)) {
    parts.push(text.slice(at, index), markElement(character.codePointAt(0)!))
    at = index + character.length
  }
  return [...parts, text.slice(at)]
}

/** A mark that stands for a character. */
export function markElement(code: number): HTMLElement {
  const mark = document.createElement('span')
  mark.className = 'mark'
  mark.textContent = codeName(code)
  return mark
}
