/** Outputs of two models → annotations: each pair is judged once, failures are counted, nothing is dropped unsaid. */

import pLimit from 'p-limit'
import { CallError, CapError } from '../../providers/call-error.js'
import type { Annotation } from '../annotations.js'
import type { OutputPair } from '../outputs.js'
import type { Asked, Judge } from './judge.js'

/** An annotation made here. */
export interface Judgement extends Annotation {
  readonly annotator: string
}

/** What became of the pairs. */
export interface Judging {
  /** In the order of the pairs; those that were not come to are left out. */
  readonly judgements: readonly Judgement[]
  /** Equal outputs: a draw, and the judge is not asked. */
  readonly identical: number
  /** Pairs without a judgement, by why. */
  readonly failed: Readonly<Record<string, number>>
  /** Where order can matter. */
  readonly order?: OrderEffect
  /** Why it ended before its end, if it did. */
  readonly stopped?: string
}

/** Whether a judge looks at the place or at the response. */
export interface OrderEffect {
  /** Times the response shown first was preferred, the one shown second, neither. */
  readonly first: number
  readonly second: number
  readonly neither: number
  /** Pairs asked in both orders, and those among them whose two answers contradict: each prefers another response. */
  readonly both: number
  readonly contradictory: number
}

export interface JudgingOptions {
  /** Pairs in hand at once; default 1. */
  readonly parallel?: number
  /** Once aborted no pair is begun; those in hand come to their end. */
  readonly signal?: AbortSignal
  onJudgement?(done: number): void
}

/**
 * Judges every pair. A call without an answer, and an answer that cannot be read, make a preference of null and are counted; a
 * spending cap that is reached or a key that is denied ends the work. Any other error is thrown.
 */
export async function judgeOutputs(
  pairs: readonly OutputPair[],
  judge: Judge,
  options: JudgingOptions = {},
): Promise<Judging> {
  const { parallel = 1, signal, onJudgement } = options
  const failed: Record<string, number> = {}
  const asked: Asked[][] = []
  let identical = 0
  let stopped: string | undefined
  let done = 0

  const decide = async ({ instruction, reference, model }: OutputPair): Promise<Partial<Judgement>> => {
    if (reference.output === model.output) {
      identical++
      return { preference: 1.5 }
    }
    const verdict = await judge.compare({ prompt: instruction, a: reference.output, b: model.output })
    if (verdict.asked) asked.push([...verdict.asked])
    const order = orderOf(verdict.asked)
    const raw = verdict.raw === undefined ? {} : { raw_completion: verdict.raw }
    if (verdict.preference !== null) return { preference: verdict.preference, ...raw, ...order }
    failed['no verdict'] = (failed['no verdict'] ?? 0) + 1
    return { preference: null, ...raw, ...order, failure: 'no verdict' }
  }

  const work = async (pair: OutputPair): Promise<Judgement | undefined> => {
    if (signal?.aborted || stopped !== undefined) return undefined
    let decided: Partial<Judgement>
    try {
      decided = await decide(pair)
    } catch (error) {
      if (error instanceof CapError || (error instanceof CallError && error.failure === 'denied')) {
        stopped ??= error.message
        return undefined
      }
      if (error instanceof CallError && error.failure === 'stopped') {
        stopped ??= 'interrupted'
        return undefined
      }
      if (!(error instanceof CallError)) {
        stopped ??= 'an error'
        throw error
      }
      failed[error.failure] = (failed[error.failure] ?? 0) + 1
      decided = { preference: null, failure: `${error.failure}: ${error.message}` }
    }
    onJudgement?.(++done)
    return { ...annotationOf(pair), annotator: judge.name, preference: null, ...decided }
  }

  const inHand = pLimit(parallel)
  const judged = await Promise.all(pairs.map(pair => inHand(work, pair)))
  const judgements = judged.filter(one => one !== undefined)
  if (signal?.aborted && judgements.length < pairs.length) stopped ??= 'interrupted'
  return {
    judgements,
    identical,
    failed,
    ...(asked.length > 0 && { order: orderEffect(asked) }),
    ...(stopped !== undefined && { stopped }),
  }
}

function annotationOf({ instruction, reference, model }: OutputPair): Omit<Annotation, 'preference'> {
  const dataset = model.dataset ?? reference.dataset
  return {
    instruction,
    output_1: reference.output,
    generator_1: reference.generator ?? 'reference',
    ...(dataset !== undefined && { dataset }),
    output_2: model.output,
    generator_2: model.generator ?? 'model',
  }
}

function orderOf(asked: readonly Asked[] = []): Pick<Judgement, 'order'> {
  const [one, other] = asked
  if (!one) return {}
  return { order: other ? 'both' : one.first === 'a' ? '1, 2' : '2, 1' }
}

function orderEffect(games: readonly (readonly Asked[])[]): OrderEffect {
  const found = { first: 0, second: 0, neither: 0, both: 0, contradictory: 0 }
  for (const asked of games) {
    for (const { first, preference } of asked) {
      if (preference === null) continue
      if (preference === 1.5 || preference === 0) found.neither++
      else found[preference < 1.5 === (first === 'a') ? 'first' : 'second']++
    }
    const [there, back] = asked.map(({ preference }) => preference)
    if (there == null || back == null) continue
    found.both++
    if ((there - 1.5) * (back - 1.5) < 0) found.contradictory++
  }
  return found
}
