/** Text made safe and visible: for HTML, for scripts inside HTML, for people. */

// Controls (but tab and line feed), and all that changes the direction or the order of what follows.
const INVISIBLE = /[^\P{Cc}\t\n]|[\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu

/** Controls, bidirectional marks and lone surrogates as `⟨U+202E⟩`, so that no text can hide or reorder another. */
export function visible(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .replace(INVISIBLE, mark)
    .replace(/\p{Surrogate}/gu, mark)
}

const mark = (character: string) => `⟨U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}⟩`

/** `visible` text, escaped for HTML content and for attributes in double quotes. */
export function html(text: string): string {
  return visible(text).replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

/** JSON that may stand inside a `<script>` element: nothing in it can end the element. Strings are made visible. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value, (_, item) => (typeof item === 'string' ? visible(item) : item))
    .replace(/</g, '\\u003c')
    .replace(/>/g, '\\u003e')
    .replace(/&/g, '\\u0026')
}

/** A number for people: three significant digits where it is small, whole where it is big, `–` where there is none. */
export function figure(value: number, digits?: number): string {
  if (!Number.isFinite(value)) return '–'
  if (digits !== undefined) return minus(value.toFixed(digits))
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return minus(value.toExponential(1))
  return minus(String(Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3))))
}

const minus = (text: string) => text.replace('-', '−')
