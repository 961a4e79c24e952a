/** A rendered chat → ids, so that no content writes a token and none reaches from the template into what the assistant says. */
import type { Range, TokenizedText } from '@emend/edits'
import { escaped } from './content-marks.js'
import type { Tokenizer } from './tokenizer.js'

/** Where a message's content stands in the text. */
export interface Content {
  /** Whether the assistant said it. */
  readonly own: boolean
  readonly range: Range
}

/**
 * Encodes a rendered chat whole, special tokens as such; where a content spells a token, or a token would reach into a turn, in
 * parts.
 *
 * @param spoken the assistant's turns: no token begins before one and ends in it
 */
export async function encodeParts(
  tokenizer: Tokenizer,
  text: string,
  contents: readonly Content[],
  spoken: readonly Range[],
): Promise<TokenizedText> {
  const whole = await tokenizer.encode(text, { specials: true })
  const cuts = spoken.map(([start]) => start).filter(at => whole.cover.some(([from, to]) => from < at && at < to))
  const forged = addedTokens(whole, tokenizer).some(token =>
    contents.some(content => isForged(token, content, tokenizer)),
  )
  if (cuts.length === 0 && !forged) return whole

  // The template's own tokens, found in a text of which the contents say nothing.
  const neutral = contents.reduce((blank, content) => neutralised(blank, content, tokenizer), text)
  const tokens = addedTokens(await tokenizer.encode(neutral, { specials: true }), tokenizer)
  const joined: { ids: number[]; tile: number[]; cover: Range[] } = { ids: [], tile: [0], cover: [] }
  const append = ({ ids, tile, cover }: TokenizedText, at: number) => {
    for (const id of ids) joined.ids.push(id)
    for (const end of tile.subarray(1)) joined.tile.push(at + end)
    for (const [start, end] of cover) joined.cover.push([at + start, at + end])
  }
  let at = 0
  const encodeTo = async (end: number) => {
    const borders = [at, ...cuts.filter(cut => at < cut && cut < end), end]
    for (const [i, start] of borders.slice(0, -1).entries()) {
      const part = text.slice(start, borders[i + 1])
      const continued = i > 0 || (start > 0 && !tokenizer.restarts)
      if (part !== '') append(await tokenizer.encode(part, { continued }), start)
    }
  }
  for (const { id, range } of tokens) {
    const [start, end] = range
    await encodeTo(start)
    joined.ids.push(id)
    joined.tile.push(end)
    joined.cover.push(range)
    at = end
  }
  await encodeTo(text.length)
  return { ...whole, ids: Int32Array.from(joined.ids), tile: Int32Array.from(joined.tile), cover: joined.cover }
}

interface AddedToken {
  readonly id: number
  readonly range: Range
}

function addedTokens({ ids, cover }: TokenizedText, tokenizer: Tokenizer): AddedToken[] {
  const added = new Set(tokenizer.added.values())
  return [...ids].flatMap((id, i) => (added.has(id) ? [{ id, range: cover[i] as Range }] : []))
}

/** Whether a token stands, with any of its characters, in a content that may not write it. */
function isForged({ id, range }: AddedToken, { own, range: [start, end] }: Content, tokenizer: Tokenizer): boolean {
  return range[0] < end && start < range[1] && !(own && !tokenizer.isSpecial(id))
}

/** A content's letters as `a`, everything else but white space as `.`, of the same length; the assistant's `<think>` stays. */
function neutralised(text: string, { own, range: [start, end] }: Content, tokenizer: Tokenizer): string {
  const allowed = own ? [...tokenizer.added].filter(([, id]) => !tokenizer.isSpecial(id)).map(([token]) => token) : []
  const parts = text.slice(start, end).split(new RegExp(`(${allowed.map(escaped).join('|') || '(?!)'})`))
  // Every second part is one of the tokens.
  const blank = parts.map((part, i) => (i % 2 === 1 ? part : part.replace(/\w/g, 'a').replace(/[^\sa]/g, '.')))
  return text.slice(0, start) + blank.join('') + text.slice(end)
}
