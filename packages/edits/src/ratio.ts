/** How much an edit changes, and whether that is little enough to be called an edit. */
import { diffTexts } from './diff.js'
import { type EditOp, keptSpans, type Range } from './operations.js'
import { characters, isSeparator, words } from './words.js'

/** Why an edit is flagged. */
export type EditFlag = 'empty-final' | 'unchanged' | 'over-budget' | 'shares-too-little'

/** What may be asked of an edit. */
export interface EditBudget {
  /** Highest edit ratio; default 0.4 (`method.md` §3). */
  readonly maxRatio?: number
  /** Least share of the longer text's characters (white space aside) that must be kept; default 0.2. */
  readonly minShared?: number
}

/** The verdict on one edit. */
export interface EditCheck {
  readonly ok: boolean
  /** Changed / all, both sides: tokens if their ratio was given, else words. */
  readonly ratio: number
  /** Kept characters / characters of the longer text, white space aside. */
  readonly shared: number
  readonly flags: readonly EditFlag[]
  /** One sentence a flag, with the number got and the limit. */
  readonly reasons: readonly string[]
}

/**
 * Edit ratio without a tokenizer: words (white space and punctuation aside) that share a character with a change / all words,
 * both sides; 0 where there are none.
 */
export function wordEditRatio(draft: string, final: string, ops: readonly EditOp[] = diffTexts(draft, final)): number {
  const a = touchedWords(
    draft,
    ops.map(op => op.draft),
  )
  const b = touchedWords(
    final,
    ops.map(op => op.final),
  )
  const total = a.total + b.total
  return total === 0 ? 0 : (a.touched + b.touched) / total
}

function touchedWords(text: string, ranges: readonly Range[]): { touched: number; total: number } {
  let touched = 0
  let total = 0
  let start = 0
  let next = 0
  for (const word of words(text)) {
    const end = start + word.length
    if (!isSeparator(word)) {
      total++
      while (next < ranges.length && ranges[next]![1] <= start) next++
      if (next < ranges.length && ranges[next]![0] < Math.min(end, ranges[next]![1])) touched++
    }
    start = end
  }
  return { touched, total }
}

/**
 * Holds an edit against a budget: empty finals, unchanged finals, edits that change too much, rewrites that share too little.
 *
 * @param edit the texts, their operations (made here if absent), and the token edit ratio if there is one
 */
export function checkEdit(
  edit: { draft: string; final: string; ops?: readonly EditOp[]; ratio?: number },
  budget: EditBudget = {},
): EditCheck {
  const { maxRatio = 0.4, minShared = 0.2 } = budget
  const ops = edit.ops ?? diffTexts(edit.draft, edit.final)
  const ratio = edit.ratio ?? wordEditRatio(edit.draft, edit.final, ops)
  const longer = Math.max(inked(edit.draft), inked(edit.final))
  let kept = 0
  for (const { draft, length } of keptSpans(ops, edit.draft.length))
    kept += inked(edit.draft.slice(draft, draft + length))
  const shared = longer === 0 ? 1 : kept / longer
  const found: [EditFlag, string][] = []
  if (edit.final.trim() === '') found.push(['empty-final', 'the final text is empty'])
  if (edit.final === edit.draft) found.push(['unchanged', 'the final text is the draft'])
  if (ratio > maxRatio) found.push(['over-budget', `edit ratio ${ratio.toFixed(2)} is over the budget of ${maxRatio}`])
  if (shared < minShared)
    found.push([
      'shares-too-little',
      `a rewrite: draft and final share ${(100 * shared).toFixed(0)} % of their characters, at least ${100 * minShared} % expected`,
    ])
  return {
    ok: found.length === 0,
    ratio,
    shared,
    flags: found.map(([flag]) => flag),
    reasons: found.map(([, why]) => why),
  }
}

/** Characters that are not white space. */
function inked(text: string): number {
  return characters(text.replace(/\s+/gu, '')).length
}

/** The distribution of edit ratios. */
export interface RatioDistribution {
  readonly n: number
  readonly mean: number
  readonly min: number
  readonly quartiles: readonly [number, number, number]
  readonly p90: number
  readonly max: number
  /** Share of the edits over the budget. */
  readonly overBudget: number
}

/**
 * Mean, quantiles (linear between order statistics) and the share over the budget; NaN for all where there is no edit.
 *
 * @param ratios one edit ratio each
 */
export function ratioDistribution(ratios: readonly number[], maxRatio = 0.4): RatioDistribution {
  const sorted = [...ratios].sort((a, b) => a - b)
  const n = sorted.length
  const quantile = (q: number) => {
    const at = q * (n - 1)
    const low = Math.floor(at)
    const below = sorted[low] ?? Number.NaN
    return below + (at - low) * ((sorted[low + 1] ?? below) - below)
  }
  return {
    n,
    mean: sorted.reduce((sum, ratio) => sum + ratio, 0) / n,
    min: quantile(0),
    quartiles: [quantile(0.25), quantile(0.5), quantile(0.75)],
    p90: quantile(0.9),
    max: quantile(1),
    overBudget: sorted.filter(ratio => ratio > maxRatio).length / n,
  }
}
