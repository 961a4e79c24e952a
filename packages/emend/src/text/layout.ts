/** Where tokens stand in the text they spell: from their bytes, or from a tokenizer's offsets. */
import { isAscii } from 'node:buffer'
import type { Range } from '@emend/edits'

/** A text and the places of its tokens in UTF-16 units. */
export interface Layout {
  readonly text: string
  /** [N+1] token i owns `[tile[i], tile[i+1])`. A character cut across tokens belongs to the one with its last byte. */
  readonly tile: Int32Array
  /** [N] every character of which the token holds a byte; empty at its place for a token without bytes. */
  readonly cover: readonly Range[]
}

const LENIENT = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Lays tokens out by the bytes they hold. Bytes that are no UTF-8 become U+FFFD, one for each maximal part of a character, as
 * `TextDecoder` and Rust do it. Exact: a token covers just the characters of which it holds a byte.
 *
 * @param pieces [N] the bytes of each token
 */
export function layOutBytes(pieces: readonly Uint8Array[]): Layout {
  let size = 0
  for (const piece of pieces) size += piece.length
  const bytes = new Uint8Array(size)
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  const ends = new Int32Array(pieces.length)
  at = 0
  for (const [i, piece] of pieces.entries()) ends[i] = at += piece.length
  return layOutUtf8(LENIENT.decode(bytes), bytes, ends)
}

/**
 * Lays out tokens of which it is known that they spell a text.
 *
 * @param bytes of the text, of UTF-8 where it is well-formed
 * @param ends [N] where the bytes of each token end
 */
export function layOutUtf8(text: string, bytes: Uint8Array, ends: Int32Array): Layout {
  const tile = new Int32Array(ends.length + 1)
  const cover = new Array<Range>(ends.length)
  let from = 0
  if (bytes.length === text.length && isAscii(bytes)) {
    for (let i = 0; i < ends.length; i++) {
      cover[i] = [from, ends[i]!]
      from = tile[i + 1] = ends[i]!
    }
    return { text, tile, cover }
  }
  // For every byte, the character it belongs to.
  const start = new Int32Array(bytes.length + 1)
  const end = new Int32Array(bytes.length)
  let unit = 0
  for (let i = 0; i < bytes.length; ) {
    const length = characterLength(bytes, i)
    const units = length === 4 ? 2 : 1 // a broken one has three bytes at most
    start.fill(unit, i, i + length)
    end.fill(unit + units, i, i + length)
    unit += units
    i += length
  }
  start[bytes.length] = unit
  for (let i = 0; i < ends.length; i++) {
    const at = ends[i]!
    cover[i] = [start[from]!, at > from ? end[at - 1]! : start[from]!]
    tile[i + 1] = start[at]!
    from = at
  }
  tile[ends.length] = text.length
  return { text, tile, cover }
}

/** Bytes of the character at i, or of the longest part of one that is there (Unicode 16, 3.9, "maximal subpart"). */
function characterLength(bytes: Uint8Array, i: number): number {
  const lead = bytes[i]!
  const wanted = lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 1
  let [low, high] = [0x80, 0xbf]
  if (lead === 0xe0) low = 0xa0
  else if (lead === 0xed) high = 0x9f
  else if (lead === 0xf0) low = 0x90
  else if (lead === 0xf4) high = 0x8f
  let length = 1
  while (length < wanted) {
    const byte = bytes[i + length]
    if (byte === undefined || byte < low || byte > high) break
    low = 0x80
    high = 0xbf
    length++
  }
  return length
}

/**
 * Lays tokens out by a tokenizer's offsets. What no token covers (a normaliser dropped it) goes to the tile of the token that
 * follows, at the end to the last.
 *
 * @param text well-formed
 * @param offsets [N] `[start, end)` in code points, as Hugging Face's `tokenizers` gives them
 */
export function layOutOffsets(text: string, offsets: readonly (readonly number[])[]): Layout {
  const unitOf = utf16Offsets(text)
  const last = unitOf.length - 1
  let floor = 0
  const cover = offsets.map(([start = 0, end = 0]): Range => {
    // A token that a normaliser made from nothing has no place of its own: it stands where the one before began.
    const from = Math.max(floor, unitOf[Math.min(start, last)]!)
    floor = from
    return [from, Math.max(from, unitOf[Math.min(end, last)]!)]
  })
  for (const [i, [start, end]] of cover.entries()) {
    const composed = composedEnd(text, start, end, cover[i + 1]?.[0] ?? text.length)
    if (composed > end) cover[i] = [start, composed]
  }
  const n = cover.length
  const tile = new Int32Array(n + 1)
  for (let i = 0; i < n; i++) {
    const next = cover[i + 1]?.[0] ?? text.length
    tile[i + 1] = Math.max(tile[i]!, Math.min(cover[i]![1], next))
  }
  tile[n] = text.length
  return { text, tile, cover }
}

/**
 * The end of a token with what a normaliser composed into its last character, such as an accent written apart: the library gives
 * such a character the place of its first part alone.
 */
function composedEnd(text: string, start: number, end: number, next: number): number {
  let composed = end
  while (start < end && composed < next) {
    const part = String.fromCodePoint(text.codePointAt(composed)!)
    const before = text.slice(start, composed)
    if ((before + part).normalize('NFC').length > before.normalize('NFC').length) break
    composed += part.length
  }
  return composed
}

/** [code points + 1] the UTF-16 unit at which each code point starts. */
function utf16Offsets(text: string): Int32Array {
  const offsets = new Int32Array(text.length + 1)
  let n = 0
  for (let i = 0; i < text.length; n++) {
    offsets[n] = i
    i += text.codePointAt(i)! > 0xffff ? 2 : 1
  }
  offsets[n] = text.length
  return offsets.subarray(0, n + 1)
}
