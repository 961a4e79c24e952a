/** A conversation as the one text that a guard reads: nothing in it hidden from readers, and long ones in parts. */
import type { Turn } from './guard.js'

/** Which turns are read: all of them, since whoever asks can write any; the user's; or the user's last. */
export type TurnsRead = 'all' | 'user' | 'last'

/** The turns, each under its role. */
export function conversationText(turns: readonly Turn[], read: TurnsRead): string {
  const users = turns.filter(({ role }) => role === 'user')
  const shown = read === 'all' ? turns : read === 'user' ? users : users.slice(-1)
  return shown.map(({ role, content }) => `${role}: ${visible(content)}`).join('\n\n')
}

/**
 * The text with what only looks different made the same (NFKC: full-width and mathematical letters), what nobody sees removed
 * (zero-width and other format characters), and letters written in invisible tag characters, which models do read, in plain ones.
 */
export function visible(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\u{E0020}-\u{E007E}]/gu, tag => String.fromCodePoint(tag.codePointAt(0)! - 0xe0000))
    .normalize('NFKC')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
}

/**
 * Parts of a text that together are all of it, in order.
 *
 * @param size most UTF-16 units of a part; parts end at white space if there is some in their last quarter
 * @param overlap how much of a part the next one repeats, so that nothing is lost at a border; default a tenth of a part
 */
export function segments(text: string, size: number, overlap = Math.floor(size / 10)): string[] {
  const parts: string[] = []
  let from = 0
  while (text.length - from > size) {
    const tail = text.slice(from + Math.ceil((size * 3) / 4), from + size)
    const blank = tail.search(/\s(?=\S*$)/)
    const to = blank < 0 ? from + size : from + Math.ceil((size * 3) / 4) + blank + 1
    parts.push(text.slice(from, to).toWellFormed())
    from = to - overlap
  }
  parts.push(text.slice(from).toWellFormed())
  return parts
}
