/**
 * Where the contents of messages stand in a rendered chat. Contents are replaced by marks that cannot be forged (private-use
 * characters of planes 15 and 16, of which every one in the contents is itself replaced), and the marks are looked up in what
 * the template makes of them.
 */
import type { Range } from '@emend/edits'

/** A stretch of a rendered chat that comes from the content of a message. */
export interface Placed {
  readonly message: number
  /** UTF-16 units of the rendered text. */
  readonly range: Range
}

/** Contents with marks in their place. */
export interface Marked {
  readonly contents: readonly string[]
  /**
   * What the template made of the marked contents → the text it stands for and where contents are in it.
   * @returns undefined where a mark came out that was not put in
   */
  read(rendered: string): { text: string; placed: Placed[] } | undefined
}

/** A unit of content that one mark stands for: `[start, end)` of its message. */
interface Unit {
  readonly message: number
  readonly start: number
  readonly end: number
}

const FIRST_MARK = 0xf0000
/** Planes 15 and 16 hold this many marks; their last two code points each are no characters. */
const PLANE = 0xfffe
const MOST_UNITS = 2 * PLANE
const MARK = /[\u{F0000}-\u{FFFFD}\u{100000}-\u{10FFFD}]/gu
const markOf = (unit: number) => String.fromCodePoint(FIRST_MARK + unit + (unit >= PLANE ? 2 : 0))
const unitOf = (mark: string) => {
  const at = (mark.codePointAt(0) as number) - FIRST_MARK
  return at >= PLANE ? at - 2 : at
}

/** White space stands in for white space, so that templates trim the same; no template writes this one itself. */
const SPACE_MARK = '\u2001'

/**
 * One mark for each content, white space at its ends apart: it can be trimmed, and nothing of it can be read. What a content
 * says cannot steer the template then.
 */
export function markWhole(contents: readonly string[]): Marked {
  const units: Unit[] = []
  const marked = contents.map((content, message) => {
    const start = content.length - content.trimStart().length
    const end = content.trimEnd().length
    if (start >= end) return content
    units.push({ message, start, end })
    return SPACE_MARK.repeat(start) + markOf(units.length - 1) + SPACE_MARK.repeat(content.length - end)
  })
  return {
    contents: marked,
    read: rendered => (units.length > MOST_UNITS ? undefined : unmark(rendered, contents, units)),
  }
}

/**
 * A mark for every word; white space, and the words in `kept` that templates look for (`</think>`), stay readable. For
 * templates that take contents apart.
 *
 * @param kept for each message what stays readable in it
 */
export function markWords(contents: readonly string[], kept: readonly (readonly string[])[]): Marked {
  const units: Unit[] = []
  const marked = contents.map((content, message) => {
    const readable = ['\\s+', ...(kept[message] ?? []).map(escaped)].join('|')
    let at = 0
    let result = ''
    const add = (end: number) => {
      if (end <= at) return
      units.push({ message, start: at, end })
      result += units.length > MOST_UNITS ? '' : markOf(units.length - 1)
    }
    for (const { 0: plain, index } of content.matchAll(new RegExp(readable, 'gu'))) {
      add(index)
      result += plain
      at = index + plain.length
    }
    add(content.length)
    return result
  })
  return {
    contents: marked,
    read: rendered => (units.length > MOST_UNITS ? undefined : unmark(rendered, contents, units)),
  }
}

/** A literal as a regular expression finds it. */
export const escaped = (literal: string) => literal.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

function unmark(rendered: string, contents: readonly string[], units: readonly Unit[]) {
  let text = ''
  let from = 0
  const placed: (Unit & { at: number; till: number })[] = []
  for (const { 0: mark, index } of rendered.matchAll(MARK)) {
    const unit = units[unitOf(mark)]
    if (!unit) return undefined
    const content = contents[unit.message] as string
    let before = rendered.slice(from, index)
    // White space that was not trimmed belongs to the content it stood in.
    const left = Math.min(unit.start, before.length - trimmedEnd(before))
    before = before.slice(0, before.length - left)
    const right = Math.min(content.length - unit.end, leading(rendered, index + mark.length))
    const start = unit.start - left
    const end = unit.end + right
    text += before
    placed.push({ message: unit.message, start, end, at: text.length, till: text.length + end - start })
    text += content.slice(start, end)
    from = index + mark.length + right
  }
  text += rendered.slice(from)
  if (text.includes(SPACE_MARK) && !contents.some(content => content.includes(SPACE_MARK))) return undefined
  return { text, placed: joined(text, contents, placed) }
}

const trimmedEnd = (text: string) => {
  let end = text.length
  while (end > 0 && text[end - 1] === SPACE_MARK) end--
  return end
}

const leading = (text: string, from: number) => {
  let at = from
  while (text[at] === SPACE_MARK) at++
  return at - from
}

/** Units of a message that stand in the text as they stood in the content become one stretch, with what is readable around. */
function joined(
  text: string,
  contents: readonly string[],
  units: readonly (Unit & { at: number; till: number })[],
): Placed[] {
  const stretches: { message: number; start: number; end: number; at: number; till: number }[] = []
  for (const unit of units) {
    const before = stretches.at(-1)
    const content = contents[unit.message] as string
    const between = before && text.slice(before.till, unit.at)
    const follows = before?.message === unit.message && between === content.slice(before.end, unit.start)
    if (follows) Object.assign(before, { end: unit.end, till: unit.till })
    else stretches.push({ ...unit })
  }
  return stretches.map(({ message, start, end, at, till }) => {
    const content = contents[message] as string
    // White space alone may be the template's own; words are the content's.
    const [before, after] = [content.slice(0, start), content.slice(end)]
    const head = before.trim() !== '' && text.slice(0, at).endsWith(before) ? start : 0
    const tail = after.trim() !== '' && text.startsWith(after, till) ? after.length : 0
    return { message, range: [at - head, till + tail] }
  })
}
