/** How often a response repeats itself: the trap that a per-token reward sets (a phrase it likes pays every time). */

import type { Numbers } from './statistics.js'

/**
 * Number of repeated phrases in a response (`response/repeats`).
 *
 * Read left to right. Where the next n tokens stood earlier in the response (not overlapping), a repeat is counted, made as
 * long as it goes (the longest over all earlier places, ending before the copy overlaps what it copies or its own first n
 * tokens come again), and reading goes on behind it. So a maximal repeat counts once whatever its length, and a phrase said
 * k times counts k − 1.
 * @param ids token ids of the response, without the end token
 * @param n tokens a phrase has at least, default 4
 */
export function repeats(ids: Numbers, n = 4): number {
  if (!(Number.isInteger(n) && n >= 1)) throw new RangeError(`repeats: n must be an integer of at least 1, got ${n}`)
  const starts = new Map<string, number[]>()
  let count = 0
  let indexed = 0
  for (let at = 0; at + n <= ids.length; ) {
    for (; indexed + n <= at; indexed++) {
      const key = phrase(ids, indexed, n)
      const places = starts.get(key)
      if (places) places.push(indexed)
      else starts.set(key, [indexed])
    }
    const earlier = starts.get(phrase(ids, at, n))
    if (!earlier) {
      at++
      continue
    }
    count++
    at += longestCopy(ids, at, earlier, n)
  }
  return count
}

/** Length of the longest copy that starts at `at`, over the places where its first n tokens stood before. */
function longestCopy(ids: Numbers, at: number, earlier: readonly number[], n: number): number {
  const limit = nextOccurrence(ids, at, n)
  let longest = n
  for (const from of earlier) {
    const most = Math.min(limit - at, at - from)
    let length = n
    while (length < most && ids[from + length] === ids[at + length]) length++
    longest = Math.max(longest, length)
  }
  return longest
}

/** Where the n tokens at `at` stand next without overlapping, or the end. */
function nextOccurrence(ids: Numbers, at: number, n: number): number {
  next: for (let i = at + n; i + n <= ids.length; i++) {
    for (let k = 0; k < n; k++) if (ids[i + k] !== ids[at + k]) continue next
    return i
  }
  return ids.length
}

function phrase(ids: Numbers, at: number, n: number): string {
  let key = ''
  for (let i = at; i < at + n; i++) key += `${ids[i]},`
  return key
}

/** A sentence: up to a full stop, exclamation or question mark (or their CJK forms) with what closes it, or a line's end. */
const SENTENCE = /[^.!?。！？\n]+(?:[.!?。！？]+["'”’)\]]*|\n|$)/gu

/**
 * Number of sentences of a text that stood in it before, word for word; case, punctuation and white space do not count.
 * A sentence said k times counts k − 1.
 */
export function repeatedSentences(text: string): number {
  const seen = new Set<string>()
  let count = 0
  for (const [sentence] of text.matchAll(SENTENCE)) {
    const words = sentence.toLowerCase().match(/[\p{L}\p{N}\p{M}]+/gu)
    if (!words) continue
    const key = words.join(' ')
    if (seen.has(key)) count++
    seen.add(key)
  }
  return count
}
