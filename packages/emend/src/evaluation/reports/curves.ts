/** From the metrics of several arms to the curves of a report. */

import type { MetricsRow } from '../../pipeline/run-folder.js'
import type { Curve } from './report-data.js'

/** The curves a report shows first, with their titles and units; names as in docs/metrics.md. */
const SHOWN: readonly [metric: string, title: string, unit?: string][] = [
  ['eval/win_rate', 'Win rate on validation prompts', '%'],
  ['objective/scores', 'Reward', 'per reply'],
  ['objective/kl', 'KL to the reference', 'nats per reply'],
  ['response_length/mean', 'Length', 'tokens'],
  ['response/repeats', 'Repeated phrases', 'per reply'],
  ['objective/rlhf_reward', 'Reward less KL', 'per reply'],
  ['objective/entropy', 'Entropy', 'nats per reply'],
  ['objective/fraction_ended', 'Replies that ended'],
  ['policy/approxkl_avg', 'KL to the old policy'],
  ['policy/clipfrac_avg', 'Clipped share of tokens'],
  ['val/explained_var', 'Explained variance of the value'],
  ['loss', 'Loss'],
  ['accuracy', 'Pair accuracy'],
]

/**
 * One curve for each metric that an arm logged, a line per arm. Steps at which an arm did not log it are left out.
 * @param metrics which ones, in this order; the usual ones unless told.
 */
export function metricCurves(
  arms: readonly { name: string; rows: readonly MetricsRow[] }[],
  metrics: readonly string[] = SHOWN.map(([metric]) => metric),
): Curve[] {
  return metrics.flatMap(metric => {
    const series = arms
      .map(({ name, rows }) => ({
        name,
        points: rows.flatMap((row): [number, number][] => (row[metric] === undefined ? [] : [[row.step, row[metric]]])),
      }))
      .filter(({ points }) => points.length > 0)
    if (series.length === 0) return []
    const [, title = metric, unit] = SHOWN.find(([name]) => name === metric) ?? []
    return [{ metric, title, ...(unit === undefined ? {} : { unit }), series }]
  })
}
