/** Area under the ROC curve: of one text, averaged over texts, and pooled. */

import { mean, type Numbers, sameLength } from './statistics.js'

/**
 * AUROC: the chance that a positive's score is above a negative's, ties counting ½ (Mann–Whitney's U / (n₊ n₋)).
 * By ranks, O(n log n).
 * @param scores any finite or infinite numbers, not NaN
 * @param positive 1 for a positive, 0 for a negative, same length
 * @returns NaN where one of the two classes is absent
 */
export function auroc(scores: Numbers, positive: Numbers): number {
  sameLength('auroc', scores, positive)
  const n = scores.length
  const order = new Uint32Array(n)
  for (let i = 0; i < n; i++) {
    if (Number.isNaN(scores[i]!)) throw new RangeError(`auroc: score ${i} is NaN`)
    order[i] = i
  }
  order.sort((i, j) => scores[i]! - scores[j]! || 0) // ∞ − ∞ is NaN, and is a tie
  let positives = 0
  let rankSum = 0
  for (let start = 0; start < n; ) {
    let end = start + 1
    while (end < n && scores[order[end]!] === scores[order[start]!]) end++
    let tied = 0
    for (let k = start; k < end; k++) if (positive[order[k]!]) tied++
    positives += tied
    rankSum += tied * ((start + 1 + end) / 2) // ranks start+1 … end, averaged over the tie
    start = end
  }
  const negatives = n - positives
  if (positives === 0 || negatives === 0) return Number.NaN
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives)
}

/** Scores and classes of the tokens of one text. */
export interface ScoredText {
  readonly scores: Numbers
  readonly positive: Numbers
}

/** AUROC over texts, both ways. */
export interface TextAuroc {
  /** Mean of the AUROCs of the texts that have both classes: can the score tell tokens of one text apart? NaN if none. */
  readonly per_text: number
  /** AUROC of all tokens of all texts together: also asks for one level across texts. NaN if a class is absent. */
  readonly pooled: number
  /** Texts with both classes, of `texts` in all. */
  readonly texts_with_both: number
  readonly texts: number
  readonly positives: number
  readonly negatives: number
}

/** Per-text AUROC averaged over the texts that have both classes, the pooled one beside it. */
export function textAuroc(texts: readonly ScoredText[]): TextAuroc {
  const each = texts.map(t => auroc(t.scores, t.positive)).filter(x => !Number.isNaN(x))
  const total = texts.reduce((n, t) => n + t.scores.length, 0)
  const scores = new Float64Array(total)
  const positive = new Uint8Array(total)
  let [at, positives] = [0, 0]
  for (const text of texts) {
    for (let i = 0; i < text.scores.length; i++, at++) {
      scores[at] = text.scores[i]!
      positive[at] = text.positive[i] ? 1 : 0
      positives += positive[at]!
    }
  }
  return {
    per_text: mean(each),
    pooled: auroc(scores, positive),
    texts_with_both: each.length,
    texts: texts.length,
    positives,
    negatives: total - positives,
  }
}
