/** What `emend run` prints and shows: the reward model on held-out edits, the policy before and after PPO. */
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { PairAccuracy, RewardMetrics } from '../../evaluation/index.js'
import { renderReport } from '../../evaluation/reports/html.js'
import type { ReportTable } from '../../evaluation/reports/report-data.js'
import { curvesOf, rolloutsOf } from '../../evaluation/reports/run-data.js'
import { renderText } from '../../evaluation/reports/text-table.js'
import { writeAtomically } from '../atomic-file.js'
import type { StageOutcome } from '../stage.js'
import type { EditsConfig } from './config.js'

interface Measured {
  readonly n: number
  readonly reward: number
  readonly length: number
  readonly repeats: number
  readonly kl: number
  readonly fraction_ended: number
}

interface RewardResult {
  readonly dev: RewardMetrics
  readonly baselines: { readonly length: PairAccuracy; readonly logprob: PairAccuracy }
  readonly n_train: number
  readonly n_dev: number
}

/** Writes report.html into the run's folder. */
export function writeEditsReport(config: EditsConfig, folder: string, outcomes: readonly StageOutcome[]) {
  const resultOf = <T>(name: string) => outcomes.find(outcome => outcome.name === name)?.result as T
  const reward = resultOf<RewardResult>('reward')
  const { before, after } = resultOf<{ before: Measured; after: Measured }>('evaluate')
  const tables = [
    accuracyTable(reward, config),
    localisationTable(reward.dev, config),
    ratioTable(reward.dev),
    policyTable(before, after, config),
  ]
  const report = join(folder, 'report.html')
  writeAtomically(
    report,
    renderReport({
      title: 'From edits to a policy',
      createdAt: new Date().toISOString(),
      arms: [],
      facts: outcomes.map(({ name, seconds }) => ({ label: name, value: `${seconds.toFixed(1)} s` })),
      tables,
      curves: curvesOf([{ name: 'PPO', folder: join(folder, 'ppo') }]),
      heats: [],
      edits: [],
      rollouts: rolloutsOf([{ name: 'PPO', folder: join(folder, 'ppo') }], 100),
      config: stringify(config),
    }),
  )
  const json = {
    reward: { n_train: reward.n_train, n_dev: reward.n_dev, ...reward.dev, baselines: reward.baselines },
    policy: { before, after },
  }
  return { report, json, text: tables.map(renderText).join('\n\n') }
}

const accuracyRow = (name: string, { accuracy, interval: [low, high], n }: PairAccuracy) =>
  [name, accuracy.toFixed(3), `${low.toFixed(3)} – ${high.toFixed(3)}`, n] as (string | number)[]

const accuracyTable = ({ dev, baselines }: RewardResult, { reward, sft, beside }: EditsConfig): ReportTable => ({
  title: 'Which side is the edited one? Pair accuracy on dev edits',
  note: 'Intervals are Wilson’s at 95 %. The direction of length was fitted on the training edits.',
  columns: ['scorer', 'accuracy', '95 % interval', 'pairs'],
  rows: [
    accuracyRow(`reward model (${reward.kind})`, dev.accuracy),
    accuracyRow('length only', baselines.length),
    accuracyRow(`${sft ? 'SFT' : 'the model’s'} log-probability only`, baselines.logprob),
    ...beside.map(({ name, accuracy, interval, pairs }) => [
      `${name} (recorded)`,
      accuracy.toFixed(3),
      interval ? `${interval[0].toFixed(3)} – ${interval[1].toFixed(3)}` : '–',
      pairs,
    ]),
  ],
})

const localisationTable = (
  { auroc_deleted, auroc_inserted, suffix_leakage }: RewardMetrics,
  { beside }: EditsConfig,
): ReportTable => ({
  title: 'Do the rewards sit where people edited?',
  columns: ['figure', 'per text', 'pooled', 'texts'],
  rows: [
    ...(auroc_deleted
      ? [
          [
            'AUROC deleted',
            auroc_deleted.per_text.toFixed(3),
            auroc_deleted.pooled.toFixed(3),
            auroc_deleted.texts_with_both,
          ],
        ]
      : []),
    ...(auroc_inserted
      ? [
          [
            'AUROC inserted',
            auroc_inserted.per_text.toFixed(3),
            auroc_inserted.pooled.toFixed(3),
            auroc_inserted.texts_with_both,
          ],
        ]
      : []),
    ...beside.flatMap(({ name, auroc_deleted, auroc_inserted }) => [
      ...(auroc_deleted === undefined
        ? []
        : [[`AUROC deleted, ${name} (recorded)`, auroc_deleted.toFixed(3), '–', '–']]),
      ...(auroc_inserted === undefined
        ? []
        : [[`AUROC inserted, ${name} (recorded)`, auroc_inserted.toFixed(3), '–', '–']]),
    ]),
    ...(suffix_leakage
      ? [
          [
            'suffix leakage',
            suffix_leakage.mean.toFixed(3),
            `signed ${suffix_leakage.signed.toFixed(3)}`,
            suffix_leakage.n,
          ],
        ]
      : []),
  ],
})

const ratioTable = ({ edit_ratio }: RewardMetrics): ReportTable => ({
  title: 'Edit ratio of the dev edits: changed tokens of all tokens, both sides',
  columns: ['mean', ...Object.keys(edit_ratio?.quantiles ?? {}), `over ${edit_ratio?.budget}`],
  rows: edit_ratio
    ? [
        [
          edit_ratio.mean.toFixed(3),
          ...Object.values(edit_ratio.quantiles).map(x => x.toFixed(3)),
          edit_ratio.over_budget,
        ],
      ]
    : [],
})

const policyTable = (before: Measured, after: Measured, { payment }: EditsConfig): ReportTable => ({
  title: `Replies to ${before.n} dev prompts, before and after PPO (paid ${payment})`,
  note: 'Reward is centred and scaled on SFT samples; KL in nats per reply to the model before PPO; length in tokens.',
  columns: ['policy', 'reward', 'length', 'repeats', 'KL', 'ended'],
  rows: (
    [
      ['before', before],
      ['after', after],
    ] as const
  ).map(([name, m]) => [
    name,
    m.reward.toFixed(3),
    m.length.toFixed(1),
    m.repeats.toFixed(2),
    m.kl.toFixed(3),
    m.fraction_ended.toFixed(3),
  ]),
})
