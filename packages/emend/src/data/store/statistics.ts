/** What the edits of a store are like: how much they change, why, and by whom. */

import { type Edit, type RatioDistribution, ratioDistribution, wordEditRatio } from '@emend/edits'

/** Of one annotator, or of all. */
export interface EditStatistics {
  readonly edits: number
  /** Of edit ratios over words. */
  readonly ratio: RatioDistribution
  /** Median seconds an edit; absent where none says. */
  readonly seconds?: number
}

/** The statistics of edits. @param budget the edit ratio above which an edit is over it; default 0.4 */
export async function editStatistics(
  edits: AsyncIterable<Edit>,
  budget?: number,
): Promise<EditStatistics & { reasons: Record<string, number>; annotators: Record<string, EditStatistics> }> {
  const all: Measured[] = []
  const reasons = new Map<string, number>()
  const annotators = new Map<string, Measured[]>()
  for await (const { draft, final, ops, by, seconds, reasons: why } of edits) {
    const one = { ratio: wordEditRatio(draft, final, ops), seconds }
    all.push(one)
    const name = by.kind === 'person' ? by.name : `${by.name} (${by.kind})`
    const theirs = annotators.get(name)
    if (theirs) theirs.push(one)
    else annotators.set(name, [one])
    for (const reason of why ?? []) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  }
  return {
    ...summary(all, budget),
    reasons: Object.fromEntries([...reasons].sort((a, b) => b[1] - a[1])),
    annotators: Object.fromEntries([...annotators].map(([name, measured]) => [name, summary(measured, budget)])),
  }
}

interface Measured {
  readonly ratio: number
  readonly seconds: number | undefined
}

function summary(measured: readonly Measured[], budget?: number): EditStatistics {
  const seconds = measured.flatMap(one => (one.seconds === undefined ? [] : [one.seconds])).sort((a, b) => a - b)
  const middle = seconds.length >> 1
  const median = seconds.length % 2 ? seconds[middle] : (seconds[middle - 1]! + seconds[middle]!) / 2
  return {
    edits: measured.length,
    ratio: ratioDistribution(
      measured.map(one => one.ratio),
      budget,
    ),
    ...(seconds.length > 0 && { seconds: median! }),
  }
}
