/** What a guard does on labelled prompts: what it refuses rightly and wrongly, how long it takes, what it costs. */
import type { Prompt } from '@emend/edits'
import pLimit from 'p-limit'
import { type Interval, wilsonInterval } from '../evaluation/intervals.js'
import { renderText } from '../evaluation/reports/text-table.js'
import { mean, quantiles } from '../evaluation/statistics.js'
import { allOf } from '../providers/all-of.js'
import { CallError } from '../providers/call-error.js'
import type { Guard, GuardVerdict, Turn, Why } from './guard.js'
import type { LabelledPrompt } from './labelled-prompts.js'

/** How many of how many were refused, and Wilson's 95 % interval of the share; absent for none. */
export interface Refusals {
  readonly n: number
  readonly refused: number
  readonly interval?: Interval
}

/** Refusals of one kind of prompt. */
export interface RefusalRates {
  /** The more the better. */
  readonly harmful: Refusals
  /** False refusals. */
  readonly benign: Refusals
}

export interface GuardReport extends RefusalRates {
  readonly guard: string
  /** Mean of the shares of harmful prompts refused and of benign ones passed; absent where either kind is. */
  readonly balanced_accuracy?: number
  /** By the `kind` of the prompts, where they have one. */
  readonly kinds: Readonly<Record<string, RefusalRates>>
  /** Verdicts by their reason, and prompts without a verdict by what went wrong. */
  readonly why: Readonly<Partial<Record<Why, number>>>
  readonly failed: Readonly<Record<string, number>>
  /** How often the model obeyed: distillations and probes that could be read, of all. */
  readonly distilled: { readonly n: number; readonly readable: number }
  readonly probed: { readonly n: number; readonly readable: number }
  /** Seconds that an answer comes later, over the verdicts for which every call was made; absent where there are none. */
  readonly added_latency?: { readonly n: number; readonly median: number; readonly p90: number; readonly max: number }
  /** Means of a verdict. */
  readonly calls: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly verdicts: readonly Judged[]
}

/** A prompt and what the guard said; no verdict where its model gave no answer. */
export interface Judged extends LabelledPrompt {
  readonly verdict?: GuardVerdict
}

export interface MeasureOptions {
  /** Prompts in hand at once; default 1, since latency is only measured truly one by one. */
  readonly parallel?: number
  readonly signal?: AbortSignal
  onPrompt?(done: number): void
}

/** The turns of a prompt. */
export const turnsOf = (prompt: Prompt): readonly Turn[] =>
  typeof prompt === 'string' ? [{ role: 'user', content: prompt }] : prompt

/**
 * Asks a guard about prompts. Calls that fail leave a prompt without a verdict, and are counted.
 *
 * @throws CapError where a spending cap is reached, CallError where a key is denied, the signal's reason when it is aborted
 */
export async function measureGuard(
  guard: Guard,
  prompts: readonly LabelledPrompt[],
  { parallel = 1, signal, onPrompt }: MeasureOptions = {},
): Promise<GuardReport> {
  const failed: Record<string, number> = {}
  let done = 0
  const judge = async (prompt: LabelledPrompt): Promise<Judged> => {
    signal?.throwIfAborted()
    try {
      return { ...prompt, verdict: await guard.check(turnsOf(prompt.prompt), signal ? { signal } : {}) }
    } catch (error) {
      if (!(error instanceof CallError) || error.failure === 'denied' || signal?.aborted) throw error
      failed[error.failure] = (failed[error.failure] ?? 0) + 1
      return prompt
    } finally {
      onPrompt?.(++done)
    }
  }
  const verdicts = await allOf(
    pLimit(parallel),
    prompts.map(prompt => () => judge(prompt)),
  )
  return { guard: guard.name, ...summary(verdicts), failed, verdicts }
}

function summary(judged: readonly Judged[]): Omit<GuardReport, 'guard' | 'failed' | 'verdicts'> {
  const rates = ratesOf(judged)
  const { harmful, benign } = rates
  const kinds = [...new Set(judged.flatMap(({ kind }) => kind ?? []))]
  const given = judged.flatMap(({ verdict }) => verdict ?? [])
  const why: Partial<Record<Why, number>> = {}
  for (const verdict of given) why[verdict.why] = (why[verdict.why] ?? 0) + 1
  // A request that was refused for its length was not distilled.
  const asked = given.filter(verdict => verdict.why !== 'too long')
  const probes = given.flatMap(verdict => verdict.probes)
  const seconds = given.filter(({ cost }) => cost.cached === 0).map(({ cost }) => cost.seconds)
  const [median, p90, max] = quantiles(seconds, [0.5, 0.9, 1]) as [number, number, number]
  const total = (count: (verdict: GuardVerdict) => number) => asked.reduce((sum, verdict) => sum + count(verdict), 0)
  const average = (count: (verdict: GuardVerdict) => number) => (given.length > 0 ? mean(given.map(count)) : 0)
  return {
    ...rates,
    ...(harmful.n > 0 &&
      benign.n > 0 && { balanced_accuracy: (harmful.refused / harmful.n + 1 - benign.refused / benign.n) / 2 }),
    kinds: Object.fromEntries(kinds.map(kind => [kind, ratesOf(judged.filter(one => one.kind === kind))])),
    why,
    distilled: { n: total(({ segments }) => segments), readable: total(v => v.segments - v.unparsable) },
    probed: { n: probes.length, readable: probes.filter(({ unsafe }) => unsafe !== null).length },
    ...(seconds.length > 0 && { added_latency: { n: seconds.length, median, p90, max } }),
    calls: average(({ cost }) => cost.calls),
    input_tokens: average(({ cost }) => cost.input_tokens),
    output_tokens: average(({ cost }) => cost.output_tokens),
  }
}

function ratesOf(judged: readonly Judged[]): RefusalRates {
  const refusals = (harmful: boolean): Refusals => {
    const verdicts = judged.flatMap(one => (one.harmful === harmful ? (one.verdict ?? []) : []))
    const refused = verdicts.filter(verdict => verdict.refused).length
    const n = verdicts.length
    return { n, refused, ...(n > 0 && { interval: wilsonInterval(refused, n) }) }
  }
  return { harmful: refusals(true), benign: refusals(false) }
}

/** For people: the table, what the numbers rest on, and the texts that were judged wrongly. */
export function describeGuard(report: GuardReport, examples = 3): string {
  const { harmful, benign, kinds, why, failed, distilled, probed, added_latency: latency } = report
  const rows = [
    ['all', harmful, benign] as const,
    ...Object.entries(kinds).map(([kind, r]) => [kind, r.harmful, r.benign] as const),
  ]
  const table = renderText({
    title: report.guard,
    columns: ['', 'harmful refused', 'benign refused (falsely)'],
    rows: rows.map(([kind, ...both]) => [kind, ...both.map(share)]),
  })
  const listed = (counts: object) =>
    Object.entries(counts)
      .map(([what, n]) => `${what} ${n}`)
      .join(', ')
  const lines = [
    table,
    `verdicts: ${listed(why) || 'none'}`,
    ...(Object.keys(failed).length > 0 ? [`no verdict, so no answer: ${listed(failed)}`] : []),
    `the model obeyed: ${distilled.readable} of ${distilled.n} distillations and ${probed.readable} of ${probed.n} probes could be read`,
    latency
      ? `added latency: median ${latency.median.toFixed(2)} s, 90 % below ${latency.p90.toFixed(2)} s, most ${latency.max.toFixed(2)} s (n = ${latency.n})`
      : 'added latency: not measured, since answers came from disk',
    `a verdict takes ${report.calls.toFixed(1)} calls, ${Math.round(report.input_tokens)} tokens read and ${Math.round(report.output_tokens)} written`,
  ]
  const wrong = (harm: boolean) =>
    report.verdicts.filter(({ harmful, verdict }) => harmful === harm && verdict && verdict.refused !== harm)
  for (const [title, list] of [
    ['falsely refused', wrong(false)],
    ['harmful and passed', wrong(true)],
  ] as const)
    lines.push(...list.slice(0, examples).map(one => `  ${title}: ${shortened(one)}`))
  return lines.join('\n')
}

const share = ({ n, refused, interval }: Refusals) =>
  interval ? `${refused} of ${n} (${percent(refused / n)}, ${percent(interval[0])} to ${percent(interval[1])})` : '–'

const percent = (x: number) => `${(100 * x).toFixed(0)} %`

function shortened({ prompt, verdict }: Judged): string {
  const text = turnsOf(prompt).at(-1)?.content.replace(/\s+/g, ' ') ?? ''
  return `${text.length > 80 ? `${text.slice(0, 80).toWellFormed()}…` : text} (${verdict!.why})`
}
