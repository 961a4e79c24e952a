/** What `emend evaluate` says of judged games, and what it writes. */
import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { EmendError, oneLine, UsageError } from '../../errors.js'
import type { AnnotationComparison } from '../../evaluation/comparison.js'
import type { JudgingForecast, OrderEffect } from '../../evaluation/judges/index.js'
import type { LengthAdjusted } from '../../evaluation/length-adjusted.js'
import type { Fact } from '../../evaluation/reports/index.js'
import { formatWinRate, type WinRate } from '../../evaluation/winrate.js'
import { writeAtomically } from '../../pipeline/atomic-file.js'
import { describeCalls } from '../chat-model.js'
import { print, printJson } from '../output.js'
import type { EvaluateFlags } from './flags.js'
import type { Games } from './games.js'

/**
 * Plays the games, writes the files that were asked for, then prints the figures. Files that are to be read are read first, so that
 * nothing is judged in vain. A judging that was stopped ends with a status of its own.
 */
export async function tellGames(play: () => Promise<Games>, flags: EvaluateFlags): Promise<void> {
  const {
    annotatedWinRate,
    compareAnnotations,
    lengthAdjusted,
    readAnnotations,
    readLeaderboard,
    updateLeaderboard,
    writeAnnotations,
  } = await import('../../evaluation/index.js')
  const against = flags.against === undefined ? undefined : await readAnnotations(flags.against)
  if (flags.leaderboard !== undefined && existsSync(flags.leaderboard)) readLeaderboard(flags.leaderboard)
  const games = await play()
  const { annotations, judging, unmatched, calls } = games
  written(flags.annotationsOut, path => writeAnnotations(path, annotations))
  if (judging?.stopped !== undefined) process.exitCode = judging.stopped === 'interrupted' ? 130 : 1
  if (annotations.every(({ preference }) => preference === null)) throw noJudgement(games)
  const row = annotatedWinRate(annotations)
  const adjusted = lengthAdjusted(annotations)
  const comparison = against && compareAnnotations(annotations, against)
  const place = written(flags.leaderboard, path => {
    if (judging?.stopped !== undefined)
      throw new EmendError(`${path}: not written, since the judging was stopped: ${judging.stopped}`)
    return updateLeaderboard(path, modelName(games, flags), row)
  })
  const judges = [...new Set(annotations.flatMap(({ annotator }) => annotator ?? []))]
  const lines = describe({ row, adjusted, comparison, judges }, games, flags)
  if (place) lines.push({ label: 'leaderboard', value: `place ${place.place} of ${place.of} in ${flags.leaderboard}` })
  const { renderGames } = await import('../../evaluation/reports/index.js')
  written(flags.report, path => {
    const title = `${annotations[0]!.generator_2 ?? 'model'} against ${annotations[0]!.generator_1 ?? 'reference'}`
    const createdAt = new Date().toISOString().slice(0, 16).replace('T', ' ')
    const page = renderGames({ title, createdAt, facts: lines, annotations, ...(against && { against }) })
    writeAtomically(path, page)
  })
  if (flags.json)
    return printJson({
      ...row,
      ...(judges.length > 0 && { annotator: judges.length === 1 ? judges[0] : judges }),
      ...(adjusted && { length_adjusted: adjusted }),
      ...(against && { against: annotatedWinRate(against), comparison }),
      ...(judging && { judging: { ...judging, unmatched } }),
      ...(calls && { calls: calls.summary }),
      ...(place && { leaderboard: { file: flags.leaderboard, ...place } }),
      ...(flags.annotationsOut !== undefined && { annotations: flags.annotationsOut }),
      ...(flags.report !== undefined && { report: flags.report }),
    })
  await print(
    [
      ...lines.map(({ label, value }) => `${label}: ${value}`),
      ...(calls ? [describeCalls(calls.summary, calls.priced)] : []),
    ].join('\n'),
  )
}

/** Writes a file if it was asked for. @throws EmendError of one line where the system refuses it */
function written<T>(path: string | undefined, write: (path: string) => T): T | undefined {
  if (path === undefined) return undefined
  try {
    return write(path)
  } catch (error) {
    if (error instanceof EmendError) throw error
    throw new EmendError(`${path}: cannot be written: ${oneLine(error)}`, { cause: error })
  }
}

/** Prints what judging would ask. */
export async function tellForecast(found: JudgingForecast, json: boolean | undefined): Promise<void> {
  if (json) return printJson(found)
  const { games, identical, calls, cached, input_tokens, output_tokens, cost, worst_cost } = found
  const money =
    cost === undefined ? 'give prices to see a cost' : `about ${cost.toFixed(4)}, at worst ${worst_cost!.toFixed(4)}`
  await print(
    `${games} games, ${identical} of equal outputs: ${calls} calls to make, ${cached} answered before; about ${input_tokens} tokens read, ${output_tokens} written (estimates); ${money}`,
  )
}

function noJudgement({ annotations, judging }: Games): EmendError {
  const why = Object.entries(judging?.failed ?? {}).map(([kind, n]) => `${kind} ${n}`)
  const stopped = judging?.stopped === undefined ? [] : [`stopped: ${judging.stopped}`]
  return new EmendError(`no judgement of ${annotations.length} games: ${[...why, ...stopped].join(', ')}`)
}

/** The name of the model's row: as told, or that of all its outputs. */
function modelName({ annotations }: Games, { name }: EvaluateFlags): string {
  if (name !== undefined) return name
  const names = [...new Set(annotations.map(({ generator_2 }) => generator_2))]
  if (names.length === 1 && names[0] !== undefined) return names[0]
  throw new UsageError(`--leaderboard needs --name: the outputs are of ${names.length} models, or do not say`)
}

interface Figures {
  readonly row: WinRate
  readonly adjusted: LengthAdjusted | undefined
  readonly comparison: AnnotationComparison | undefined
  readonly judges: readonly string[]
}

function describe({ row, adjusted, comparison, judges }: Figures, games: Games, flags: EvaluateFlags): Fact[] {
  const { judging, unmatched } = games
  const rate = (value: number, error: number) =>
    Number.isNaN(error) ? value.toFixed(1) : `${value.toFixed(1)} ± ${error.toFixed(1)}`
  const facts: Fact[] = [
    { label: 'win rate', value: formatWinRate(row) },
    {
      label: 'games',
      value: `${row.n_wins} won, ${row.n_wins_base} lost, ${row.n_draws} drawn; discrete win rate ${row.discrete_win_rate.toFixed(1)}`,
    },
    { label: 'average length', value: `${row.avg_length} characters` },
  ]
  if (adjusted)
    facts.push({
      label: 'at equal lengths',
      value: `${rate(adjusted.win_rate, adjusted.standard_error)} (a logistic regression on the difference of lengths; not AlpacaEval 2's length-controlled rate)`,
    })
  if (judges.length > 0) facts.push({ label: 'judge', value: judges.join(', ') })
  if (row.n_unjudged > 0)
    facts.push({
      label: 'without a judgement',
      value: `${row.n_unjudged}, left out; as draws they would make the win rate ${row.win_rate_unjudged_as_draws!.toFixed(1)}`,
    })
  for (const [why, n] of Object.entries(judging?.failed ?? {})) facts.push({ label: `failed, ${why}`, value: `${n}` })
  if (judging && judging.identical > 0)
    facts.push({ label: 'equal outputs', value: `${judging.identical}, drawn without asking` })
  if (judging?.order) facts.push({ label: 'order', value: describeOrder(judging.order) })
  if (unmatched && unmatched.reference + unmatched.model > 0)
    facts.push({
      label: 'on one side only',
      value: `${unmatched.reference} of the reference's outputs, ${unmatched.model} of the model's`,
    })
  if (judging?.stopped !== undefined)
    facts.push({ label: 'stopped', value: `${judging.stopped}; run the same command again to go on` })
  if (comparison) facts.push(...describeComparison(comparison, flags.against!))
  return facts
}

function describeOrder({ first, second, neither, both, contradictory }: OrderEffect): string {
  const asked = `the output shown first was preferred ${first} times, the second ${second}, neither ${neither}`
  return both > 0 ? `${asked}; of ${both} asked in both orders ${contradictory} contradict themselves` : asked
}

function describeComparison(c: AnnotationComparison, file: string): Fact[] {
  const { difference, interval, p, n } = c
  const signed = (points: number) => `${points >= 0 ? '+' : '−'}${Math.abs(points).toFixed(1)}`
  const verdict = { above: 'better', below: 'worse', open: 'not told apart' }[c.verdict]
  const remarks = [
    c.unjudged > 0 && `${c.unjudged} without a judgement in one of them are left out`,
    c.only_here + c.only_there > 0 &&
      `${c.only_here} prompts are in the first file only, ${c.only_there} in the second`,
    c.other_reference > 0 && `${c.other_reference} prompts have another reference: those wins are not of the same game`,
    !c.same_judge && 'the judges differ',
  ].filter(remark => remark !== false)
  const bounds =
    n === 1 ? '' : ` (95 % interval ${signed(interval[0])} to ${signed(interval[1])}, p = ${p.toPrecision(2)})`
  return [
    { label: `against ${basename(file)}`, value: `${signed(difference)} points on ${n} prompts${bounds}: ${verdict}` },
    ...remarks.map(value => ({ label: 'note', value })),
  ]
}
