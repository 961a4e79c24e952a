/** An edit in the terminal: deleted struck, inserted underlined; marks where there are no colours. */

import { type Edit, type Segment, segments } from '@emend/edits'

const COLOURS = { deleted: ['\u001b[9;31m', '\u001b[0m'], inserted: ['\u001b[4;32m', '\u001b[0m'], kept: ['', ''] }
/** wdiff's. */
const MARKS = { deleted: ['[-', '-]'], inserted: ['{+', '+}'], kept: ['', ''] }

/** The running text of an edit. */
export function redLines(edit: Pick<Edit, 'draft' | 'final' | 'ops'>, colours: boolean): string {
  const signs = colours ? COLOURS : MARKS
  const shown = ({ text, kind }: Segment) => `${signs[kind][0]}${visible(text)}${signs[kind][1]}`
  return segments(edit.draft, edit.final, edit.ops).map(shown).join('')
}

/**
 * A text that does nothing to the terminal: control characters as their pictures (U+2400 …), characters that turn or hide text
 * (bidirectional controls and the like) by number.
 */
export function visible(text: string): string {
  return text
    .replace(/\p{Cc}/gu, c => (c === '\n' || c === '\t' ? c : picture(c.charCodeAt(0))))
    .replace(/[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, c => number(c.charCodeAt(0)))
}

const picture = (code: number) =>
  code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? '\u2421' : number(code)

const number = (code: number) => `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`
