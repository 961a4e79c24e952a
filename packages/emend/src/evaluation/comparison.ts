/** Two models against the same reference, prompt by prompt. */

import { EmendError } from '../errors.js'
import type { Annotation } from './annotations.js'
import type { Interval } from './intervals.js'
import { joinByInstruction } from './outputs.js'
import { type PairedComparison, pairedComparison } from './paired.js'
import { winScores } from './winrate.js'

/** How much more often one model wins than another, in points of the win rate. */
export interface AnnotationComparison {
  /** Mean of the first's score less the second's on the same prompt, in points. */
  readonly difference: number
  /** Of the paired differences. NaN for one prompt. */
  readonly standard_error: number
  /** Student's t, 95 %. */
  readonly interval: Interval
  /** Two-sided, of the paired t test. */
  readonly p: number
  readonly verdict: PairedComparison['verdict']
  /** Prompts that both files judge. */
  readonly n: number
  /** Prompts of one file that the other has not. */
  readonly only_here: number
  readonly only_there: number
  /** Prompts in both, of which one has no judgement: they are left out. */
  readonly unjudged: number
  /** Prompts among the `n` whose reference output differs between the files: such wins are not of the same game. */
  readonly other_reference: number
  /** Whether every judgement is by the same judge. */
  readonly same_judge: boolean
}

/**
 * Pairs the judgements of two annotation files by instruction and compares them by a paired t test.
 * @throws EmendError where no prompt is judged in both
 */
export function compareAnnotations(here: readonly Annotation[], there: readonly Annotation[]): AnnotationComparison {
  const { pairs, onlyInA, onlyInB } = joinByInstruction(here, there)
  const judged = pairs.filter(([a, b]) => a.preference !== null && b.preference !== null)
  if (judged.length === 0)
    throw new EmendError(
      `nothing to compare: of ${here.length} and ${there.length} prompts none is judged in both files`,
    )
  const points = (side: 0 | 1) => winScores(judged.map(pair => pair[side].preference)).map(score => score * 100)
  const { mean, standard_error, interval, p, verdict, n } = pairedComparison(points(0), points(1))
  return {
    ...{ difference: mean, standard_error, interval, p, verdict, n },
    only_here: onlyInA,
    only_there: onlyInB,
    unjudged: pairs.length - judged.length,
    other_reference: judged.filter(([a, b]) => a.output_1 !== b.output_1).length,
    same_judge: new Set(judged.flatMap(pair => pair.map(({ annotator }) => annotator))).size === 1,
  }
}
