/** What a reward model is worth on held-out pairs: accuracy, margin, where its token rewards sit, how they follow length. */

import type { SideLabels, TokenLabels } from '@emend/edits'
import { type TextAuroc, textAuroc } from './auroc.js'
import { type PairAccuracy, pairAccuracy } from './pair-accuracy.js'
import { correlation, type Histogram, histogram, mean, type Numbers, quantiles } from './statistics.js'
import { type SuffixLeakage, suffixLeakage } from './suffix-leakage.js'

/** A pair as a reward model read it. */
export interface ScoredPair {
  /** [T_chosen] r_t of the chosen response's tokens, read after consuming each; EOS included where it was produced. */
  readonly chosen: Float32Array
  /** [T_rejected] */
  readonly rejected: Float32Array
  /** R of the chosen response, as the objective defines it (last token, or mean of r_t). */
  readonly chosenScore: number
  readonly rejectedScore: number
  /** draft = rejected, final = chosen; one label per token of that side (`withEos` adds the end token's). */
  readonly labels?: TokenLabels
}

/** Metrics of a reward model on one set of pairs; those that need labels are of the pairs that have them. */
export interface RewardMetrics {
  readonly n: number
  readonly accuracy: PairAccuracy
  /** Mean of R(chosen) − R(rejected). */
  readonly margin: number
  /** Of R over both sides of all pairs, as TRL logs them. */
  readonly min_reward: number
  readonly mean_reward: number
  readonly max_reward: number
  readonly abs_token_reward: AbsoluteByLength
  /** Pairs with labels. */
  readonly labelled: number
  /** −r_t for deleted or replaced tokens against the kept tokens of the same draft. Absent without labels. */
  readonly auroc_deleted?: TextAuroc
  /** r_t for inserted tokens against the kept tokens of the same final text. */
  readonly auroc_inserted?: TextAuroc
  readonly suffix_leakage?: SuffixLeakage
  readonly edit_ratio?: EditRatios
}

/**
 * All metrics of `method.md` §4 for one reward model on one set of pairs.
 * @throws RangeError naming the pair, if a side has no token, a reward or score is not finite, or labels do not fit
 */
export function rewardMetrics(pairs: readonly ScoredPair[]): RewardMetrics {
  if (pairs.length === 0) throw new RangeError('rewardMetrics: no pairs')
  pairs.forEach(check)
  const chosen = pairs.map(p => p.chosenScore)
  const rejected = pairs.map(p => p.rejectedScore)
  const scores = [...chosen, ...rejected]
  const labelled = pairs.filter((p): p is LabelledPair => p.labels !== undefined)
  return {
    n: pairs.length,
    accuracy: pairAccuracy(chosen, rejected),
    margin: mean(pairs.map(p => p.chosenScore - p.rejectedScore)),
    min_reward: scores.reduce((a, b) => Math.min(a, b)),
    mean_reward: mean(scores),
    max_reward: scores.reduce((a, b) => Math.max(a, b)),
    abs_token_reward: absoluteByLength(pairs.flatMap(p => [p.chosen, p.rejected])),
    labelled: labelled.length,
    ...(labelled.length > 0 && {
      auroc_deleted: textAuroc(
        labelled.map(p => ({ scores: p.rejected.map(r => -r), positive: p.labels.draft.changed })),
      ),
      auroc_inserted: textAuroc(labelled.map(p => ({ scores: p.chosen, positive: p.labels.final.changed }))),
      suffix_leakage: suffixLeakage(labelled),
      edit_ratio: editRatios(labelled.map(p => p.labels.editRatio)),
    }),
  }
}

type LabelledPair = ScoredPair & { readonly labels: TokenLabels }

/** How the size of token rewards depends on the length of the response. */
export interface AbsoluteByLength {
  /** Mean over responses of their mean |r_t|. */
  readonly mean: number
  /** Pearson's correlation of T and mean |r_t| over responses. Near 0 is wanted: else length is paid. NaN if either is constant. */
  readonly correlation: number
  /** Responses by quartile of T; quartiles that coincide are joined. `from` ≤ T ≤ `to`, in tokens. */
  readonly bins: readonly { readonly from: number; readonly to: number; readonly n: number; readonly mean: number }[]
}

/** Mean |r_t| of each response against its length T. */
export function absoluteByLength(responses: readonly Numbers[]): AbsoluteByLength {
  const lengths = responses.map(r => r.length)
  const sizes = responses.map(r => mean(Float64Array.from(r, Math.abs)))
  const [q0, ...cuts] = quantiles(lengths, [0, 0.25, 0.5, 0.75, 1]).map(Math.floor) as [number, ...number[]]
  const bins: { from: number; to: number; n: number; mean: number }[] = []
  let from = q0
  for (const to of new Set(cuts)) {
    const inside = sizes.filter((_, i) => lengths[i]! >= from && lengths[i]! <= to)
    if (inside.length > 0) bins.push({ from, to, n: inside.length, mean: mean(inside) })
    from = to + 1
  }
  return { mean: mean(sizes), correlation: correlation(lengths, sizes), bins }
}

/** How minimal the edits are. */
export interface EditRatios {
  readonly n: number
  readonly mean: number
  readonly quantiles: Readonly<Record<'min' | 'p10' | 'p25' | 'p50' | 'p75' | 'p90' | 'max', number>>
  /** Twenty bins of 0.05 from 0 to 1. */
  readonly histogram: Histogram
  /** Edits whose ratio exceeds the budget. */
  readonly over_budget: number
  readonly budget: number
}

/**
 * Distribution of edit ratios (changed tokens / all tokens, both sides).
 * @param budget what counts as too much, default 0.4
 */
export function editRatios(ratios: Numbers, budget = 0.4): EditRatios {
  const [min, p10, p25, p50, p75, p90, max] = quantiles(ratios, [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return {
    n: ratios.length,
    mean: mean(ratios),
    quantiles: { min, p10, p25, p50, p75, p90, max },
    histogram: histogram(
      ratios,
      Array.from({ length: 21 }, (_, i) => i / 20),
    ),
    over_budget: Array.from(ratios).filter(r => r > budget).length,
    budget,
  }
}

/** The metrics by the names that are logged and shown, flat; per-text AUROC under the plain name, the pooled beside it. */
export function flatRewardMetrics(m: RewardMetrics): Record<string, number> {
  return {
    accuracy: m.accuracy.accuracy,
    accuracy_low: m.accuracy.interval[0],
    accuracy_high: m.accuracy.interval[1],
    ties: m.accuracy.ties,
    margin: m.margin,
    min_reward: m.min_reward,
    mean_reward: m.mean_reward,
    max_reward: m.max_reward,
    abs_token_reward: m.abs_token_reward.mean,
    abs_token_reward_by_length: m.abs_token_reward.correlation,
    ...(m.auroc_deleted && {
      auroc_deleted: m.auroc_deleted.per_text,
      auroc_deleted_pooled: m.auroc_deleted.pooled,
    }),
    ...(m.auroc_inserted && {
      auroc_inserted: m.auroc_inserted.per_text,
      auroc_inserted_pooled: m.auroc_inserted.pooled,
    }),
    ...(m.suffix_leakage && {
      suffix_leakage: m.suffix_leakage.mean,
      suffix_leakage_signed: m.suffix_leakage.signed,
    }),
    ...(m.edit_ratio && { edit_ratio: m.edit_ratio.mean }),
  }
}

function check(pair: ScoredPair, index: number): void {
  const where = `rewardMetrics: pair ${index}`
  for (const side of ['chosen', 'rejected'] as const) {
    if (pair[side].length === 0) throw new RangeError(`${where}: ${side} has no tokens; give at least its end token`)
    const bad = pair[side].findIndex(r => !Number.isFinite(r))
    if (bad >= 0) throw new RangeError(`${where}: ${side} reward ${bad} is ${pair[side][bad]}`)
    const score = pair[`${side}Score`]
    if (!Number.isFinite(score)) throw new RangeError(`${where}: ${side}Score is ${score}`)
  }
  if (!pair.labels) return
  fits(`${where}: draft`, pair.labels.draft, pair.rejected.length)
  fits(`${where}: final`, pair.labels.final, pair.chosen.length)
}

function fits(where: string, labels: SideLabels, tokens: number): void {
  if (labels.changed.length !== tokens)
    throw new RangeError(
      `${where} has ${labels.changed.length} labels for ${tokens} rewards; label the ids as scored (withEos adds the end token)`,
    )
}
