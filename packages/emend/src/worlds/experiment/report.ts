/** What the experiment prints and shows: the table of arms, who beats whom, what the reward models are worth. */
import { join } from 'node:path'
import { type Edit, segments } from '@emend/edits'
import { stringify } from 'yaml'
import { type PairedComparison, pairedComparison } from '../../evaluation/paired.js'
import { renderReport } from '../../evaluation/reports/html.js'
import type { ArmRow, Heat, ReportTable } from '../../evaluation/reports/report-data.js'
import { curvesOf, rolloutsOf } from '../../evaluation/reports/run-data.js'
import { renderTable } from '../../evaluation/reports/terminal.js'
import { renderText } from '../../evaluation/reports/text-table.js'
import { mean } from '../../evaluation/statistics.js'
import { winScores } from '../../evaluation/winrate.js'
import { writeAtomically } from '../../pipeline/atomic-file.js'
import type { StageOutcome } from '../../pipeline/stage.js'
import type { LabelAccuracy } from '../concierge/people.js'
import { ARMS, type Arm, armFolder } from './arms.js'
import type { ExperimentConfig } from './config.js'
import type { Evaluation, Judged } from './evaluate.js'
import { readRecords } from './records.js'
import type { PairsResult, RewardReport } from './stages.js'

interface ArmResult {
  readonly arm: Arm
  readonly evaluation: Evaluation
  readonly judged: readonly Judged[]
  readonly seconds: number
  readonly folder: string
}

/** Writes report.html and gives what `demo` prints. */
export function writeExperimentReport(config: ExperimentConfig, folder: string, outcomes: readonly StageOutcome[]) {
  const results = armResults(folder, outcomes)
  const sft = results.find(result => result.arm.kind === 'sft')
  const rows = results.map(result => rowOf(result, sft))
  const { preferences, edits } = resultOf<PairsResult>(outcomes, 'pairs')
  const rewards = outcomes
    .filter(({ name }) => name.startsWith('reward-'))
    .map(({ name, result }) => ({ name: name.slice('reward-'.length), report: result as RewardReport }))
  const tables = [labelTable(preferences, edits), rewardTable(rewards), ...(sft ? [pairedTable(results, sft)] : [])]
  const file = join(folder, 'report.html')
  const runs = results.map(({ arm, folder: own }) => ({ name: arm.name, folder: own }))
  const seconds = outcomes.map(({ name, seconds: took }) => ({ label: name, value: `${took.toFixed(1)} s` }))
  writeAtomically(
    file,
    renderReport({
      title: 'Edits, rewards, policies',
      subtitle: `The controlled experiment on the embedded world Concierge, seed ${config.seed}`,
      createdAt: new Date().toISOString(),
      arms: rows,
      facts: [
        { label: 'length', value: 'characters, mean per reply' },
        { label: 'KL', value: 'nats per reply, to SFT' },
        ...seconds,
      ],
      tables,
      curves: curvesOf(runs),
      heats: rewards.flatMap(({ name, report }) =>
        (report.shown ?? [])
          .slice(0, 3)
          .flatMap(({ prompt, draft, final }) => [
            heatOf(name, 'draft', prompt, draft),
            heatOf(name, 'final', prompt, final),
          ]),
      ),
      edits: redLines(join(folder, 'pairs', 'edits.jsonl')),
      rollouts: rolloutsOf(runs, 60),
      config: stringify(config),
    }),
  )
  const json = {
    arms: results.map(({ arm, evaluation, seconds: took }) => ({
      name: arm.name,
      win_rate: evaluation.win_rate,
      standard_error: evaluation.standard_error,
      n_total: evaluation.n_total,
      avg_length: evaluation.avg_length,
      kl: evaluation.kl,
      defects: evaluation.defects,
      seconds: took,
    })),
    report: file,
  }
  return { json, text: [renderTable(rows), ...tables.map(renderText), `report: ${file}`].join('\n\n') }
}

const resultOf = <T>(outcomes: readonly StageOutcome[], name: string) =>
  outcomes.find(outcome => outcome.name === name)?.result as T

function armResults(folder: string, outcomes: readonly StageOutcome[]): ArmResult[] {
  return ARMS.flatMap(arm => {
    const outcome = outcomes.find(({ name }) => name === armFolder(arm))
    if (!outcome) return []
    const own = join(folder, armFolder(arm))
    const judged = readRecords<Judged>(join(own, 'replies.jsonl'))
    return [{ arm, evaluation: outcome.result as Evaluation, judged, seconds: outcome.seconds, folder: own }]
  })
}

/** Win or loss of `a` against `b`, prompt by prompt, in points of win rate. */
function compare(a: readonly Judged[], b: readonly Judged[]): PairedComparison {
  const points = (judged: readonly Judged[]) => winScores(judged.map(one => one.preference)).map(score => score * 100)
  return pairedComparison(points(a), points(b))
}

function rowOf({ arm, evaluation, judged, seconds }: ArmResult, sft: ArmResult | undefined): ArmRow {
  const { win_rate, standard_error, n_total, avg_length = 0, kl, repeats, defects } = evaluation
  const note =
    sft && arm.kind !== 'sft' ? failureOf(evaluation, compare(judged, sft.judged), sft.evaluation) : undefined
  const shown = Object.fromEntries(Object.entries(defects).map(([kind, count]) => [kind, Number(count.toFixed(2))]))
  return {
    name: arm.name,
    question: arm.question,
    win_rate,
    standard_error,
    n_total,
    avg_length,
    kl,
    repeats,
    defects: shown,
    seconds,
    ...(note && { note }),
  }
}

/** An arm that does not beat SFT says so, and what went wrong with its replies. */
export function failureOf(arm: Evaluation, versus: PairedComparison, sft: Evaluation): string | undefined {
  if (versus.verdict === 'above') return undefined
  const worse = Object.entries(arm.defects)
    .map(([kind, count]) => ({ kind, more: count - (sft.defects[kind] ?? 0) }))
    .filter(({ more }) => more > 0.05)
    .sort((a, b) => b.more - a.more)
    .slice(0, 3)
    .map(({ kind, more }) => `${kind} +${more.toFixed(2)}`)
  const longer = arm.avg_tokens / sft.avg_tokens - 1
  const symptoms = [
    ...worse,
    ...(arm.repeats - sft.repeats > 0.1 ? [`repeated phrases +${(arm.repeats - sft.repeats).toFixed(2)}`] : []),
    ...(Math.abs(longer) > 0.15
      ? [`replies ${Math.abs(100 * longer).toFixed(0)} % ${longer > 0 ? 'longer' : 'shorter'}`]
      : []),
  ]
  const verdict =
    versus.verdict === 'below' ? `loses to SFT by ${(-versus.mean).toFixed(1)} points` : 'does not beat SFT'
  return symptoms.length > 0 ? `${verdict}: ${symptoms.join(', ')} per reply` : verdict
}

const percent = (x: number) => `${(100 * x).toFixed(1)} %`

const labelTable = (preferences: LabelAccuracy, edits: LabelAccuracy): ReportTable => ({
  title: 'How right the simulated people are',
  note: 'Accuracy counts an undecided label as half right. Arms differ in the kind of label; this is how far also in its quality.',
  columns: ['labels', 'right', 'undecided', 'wrong', 'accuracy', 'n'],
  rows: (
    [
      ['preferences', preferences],
      ['edits', edits],
    ] as const
  ).map(([name, a]) => [name, percent(a.right), percent(a.undecided), percent(a.wrong), percent(a.accuracy), a.n]),
})

const rewardTable = (rewards: readonly { name: string; report: RewardReport }[]): ReportTable => ({
  title: 'Reward models on held-out pairs with noiseless labels',
  note: 'Beside them, on the same pairs, what length alone and the SFT log-probability alone would reach.',
  columns: [
    'reward model',
    'accuracy, sampled',
    'accuracy, edited',
    'AUROC deleted',
    'AUROC inserted',
    'suffix leakage',
  ],
  rows: [
    ...rewards.map(({ name, report: { preferences, edits } }) => [
      name,
      preferences.accuracy.accuracy.toFixed(3),
      edits.accuracy.accuracy.toFixed(3),
      edits.auroc_deleted?.per_text.toFixed(3) ?? '',
      edits.auroc_inserted?.per_text.toFixed(3) ?? '',
      edits.suffix_leakage?.mean.toFixed(3) ?? '',
    ]),
    ...baselineRows(rewards[0]?.report),
  ],
})

const baselineRows = (report: RewardReport | undefined) =>
  report
    ? (['length', 'logprob'] as const).map(name => [
        name === 'length' ? 'length only' : 'SFT log-probability only',
        report.baselines.preferences[name].accuracy.toFixed(3),
        report.baselines.edits[name].accuracy.toFixed(3),
        '',
        '',
        '',
      ])
    : []

const pairedTable = (results: readonly ArmResult[], sft: ArmResult): ReportTable => ({
  title: 'Against SFT on the same prompts, in points of win rate',
  note: 'Paired over prompts, 95 %. Over seeds the spread is wider: compare arms on several.',
  columns: ['arm', 'difference', '95 % interval', 'weighted defects', 'verdict'],
  rows: results
    .filter(result => result !== sft)
    .map(({ arm, judged, evaluation }) => {
      const { mean: difference, interval, verdict } = compare(judged, sft.judged)
      const bounds = interval.map(x => x.toFixed(1)).join(' – ')
      return [arm.name, difference.toFixed(1), bounds, evaluation.weighted_defects.toFixed(2), verdict]
    }),
})

/**
 * A text with its token rewards, and R as the model compares texts by: a sequence model was trained on its last token alone.
 *
 * @param reward what its stage calls the model: `edits-token`, `preferences-sequence`
 */
export function heatOf(
  reward: string,
  side: 'draft' | 'final',
  prompt: string,
  tokens: readonly { text: string; reward: number }[],
): Heat {
  const rewards = tokens.map(token => token.reward)
  const last = reward.endsWith('-sequence')
  return {
    model: `${reward}: ${side}`,
    prompt,
    tokens: [...tokens],
    total: last ? (rewards.at(-1) as number) : mean(rewards),
    note: last ? 'total: R, read at the last token; the others were not trained' : 'total: R, the mean over tokens',
  }
}

/** The first edits that people made, as red lines. */
function redLines(path: string) {
  return readRecords<Edit>(path)
    .filter(edit => edit.draft !== edit.final)
    .slice(0, 12)
    .map(({ prompt, draft, final, ops }) => ({
      prompt: String(prompt),
      segments: segments(draft, final, ops).map(s => ({ ...s })),
    }))
}
