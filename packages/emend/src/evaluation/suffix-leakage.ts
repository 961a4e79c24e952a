/** Suffix leakage: how much of a pair's margin a token reward puts on unchanged tokens after the first edit. */

import type { SideLabels, TokenLabels } from '@emend/edits'
import { mean, type Numbers } from './statistics.js'

/** The parts of R(final) − R(draft), R the mean over tokens. They add up to it. */
export interface MarginParts {
  /** Unchanged tokens before the first edit. Their rewards are equal by causality: only the two lengths differ. */
  readonly prefix: number
  /** Changed tokens: inserted on the final's side, deleted on the draft's. */
  readonly changed: number
  /** Unchanged tokens from the first edit on: same words, another prefix. */
  readonly suffix: number
}

/** A labelled pair's token rewards: `chosen` is the final text's, `rejected` the draft's. */
export interface LabelledRewards {
  readonly chosen: Numbers
  readonly rejected: Numbers
  readonly labels: TokenLabels
}

/** Suffix leakage over pairs. */
export interface SuffixLeakage {
  /** Mean over pairs of |S_suffix| / (|S_prefix| + |S_changed| + |S_suffix|), in [0, 1]; NaN if no pair has a margin. */
  readonly mean: number
  /** Mean S_suffix / mean (S_prefix + S_changed + S_suffix): the share of the average margin, with its sign. */
  readonly signed: number
  /** Pairs counted in `mean`. */
  readonly n: number
  /** Pairs all of whose parts are 0: no share can be told. They count in `signed`. */
  readonly without_margin: number
}

/**
 * Splits R(final) − R(draft) by where the reward sits: S_part = (1/T_final) Σ_{t ∈ part} r_t − (1/T_draft) Σ_{t ∈ part} r_t.
 */
export function marginParts({ chosen, rejected, labels }: LabelledRewards): MarginParts {
  const final = sideParts(chosen, labels.final)
  const draft = sideParts(rejected, labels.draft)
  return {
    prefix: final.prefix - draft.prefix,
    changed: final.changed - draft.changed,
    suffix: final.suffix - draft.suffix,
  }
}

/** Suffix leakage of a set of labelled pairs (trap 3 of `method.md` §4: the loss allows it, so it is measured). */
export function suffixLeakage(pairs: readonly LabelledRewards[]): SuffixLeakage {
  const parts = pairs.map(marginParts)
  const shares = parts
    .map(({ prefix, changed, suffix }) => Math.abs(suffix) / (Math.abs(prefix) + Math.abs(changed) + Math.abs(suffix)))
    .filter(share => !Number.isNaN(share))
  return {
    mean: mean(shares),
    signed: mean(parts.map(p => p.suffix)) / mean(parts.map(p => p.prefix + p.changed + p.suffix)),
    n: shares.length,
    without_margin: parts.length - shares.length,
  }
}

function sideParts(rewards: Numbers, { changed, firstChange }: SideLabels): MarginParts {
  const parts = { prefix: 0, changed: 0, suffix: 0 }
  for (let t = 0; t < rewards.length; t++)
    parts[changed[t] ? 'changed' : t < firstChange ? 'prefix' : 'suffix'] += rewards[t]! / rewards.length
  return parts
}
