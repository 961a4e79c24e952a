/** `emend evaluate --reward`: a reward model on held-out pairs. */
import { describeSetAside } from '../../data/reading.js'
import { EmendError, UsageError } from '../../errors.js'
import { visible } from '../../evaluation/reports/markup.js'
import { tokenizerBeside } from '../commands/score.js'
import type { CommonOptions } from '../options.js'
import { print, printJson } from '../output.js'
import { pairFile, readPairs } from '../pairs.js'
import { deviceOption } from '../training.js'
import type { EvaluateFlags } from './flags.js'

/** A reward model and the tokenizer it was trained with. @throws UsageError without --reward, EmendError for another tokenizer */
export async function loadReward(flags: CommonOptions & Pick<EvaluateFlags, 'reward' | 'tokenizer'>) {
  const { reward: folder, tokenizer: path } = flags
  if (folder === undefined) throw new UsageError('give --reward DIR, a reward model as `emend reward` writes it')
  const { RewardModel, Tokenizer } = await import('../../index.js')
  if (flags.threads !== undefined) (await import('@emend/torch')).setNumThreads(flags.threads)
  const reward = await RewardModel.load(folder, deviceOption(flags))
  const tokenizer = await Tokenizer.load(path ?? tokenizerBeside(folder))
  if (tokenizer.fingerprint !== reward.tokenizer)
    throw new EmendError(`${folder} was trained with another tokenizer; name its own with --tokenizer`)
  return { reward, tokenizer }
}

/** Accuracy over all pairs and by subset, the length baseline, and where the edits are known, whether token rewards find them. */
export async function tellReward(flags: EvaluateFlags): Promise<void> {
  const file = pairFile(flags)
  const [{ reward, tokenizer }, { evaluateReward }, { flatRewardMetrics }, { encodePrompts }] = await Promise.all([
    loadReward(flags),
    import('../../evaluation/reward-evaluation.js'),
    import('../../evaluation/index.js'),
    import('../../text/index.js'),
  ])
  const { config } = reward.scalar
  const pairs = await readPairs(flags, {
    tokenizer,
    eos: config.eos,
    encode: prompts => encodePrompts(tokenizer, prompts),
    decoder: { config },
  })
  const { readEdits, readPreferences } = await import('../../index.js')
  const { lines, report } = await (flags.edits === undefined ? readPreferences(file) : readEdits(file))
  const names = flags.subset === undefined ? undefined : await subsetNames(file, lines, flags.subset)
  const { metrics, longer, subsets, subset_mean } = evaluateReward(reward, pairs, names)
  if (flags.json)
    return printJson({
      n: metrics.n,
      set_aside: report.setAside.length,
      ...flatRewardMetrics(metrics),
      longer_accuracy: longer.accuracy,
      ...(names && { subset_mean, subsets: Object.fromEntries(subsets) }),
    })
  const percent = (share: number) => (100 * share).toFixed(1)
  const told = [
    `accuracy: ${percent(metrics.accuracy.accuracy)} (95 % interval ${metrics.accuracy.interval.map(percent).join(' to ')}, n = ${metrics.n}); margin ${metrics.margin.toFixed(3)}`,
    `length alone: ${percent(longer.accuracy)} by preferring the longer response, ${percent(1 - longer.accuracy)} the shorter`,
    ...[...subsets].map(
      ([name, { accuracy, interval, n, longer }]) =>
        `  ${visible(name)}: ${percent(accuracy)} (${interval.map(percent).join(' to ')}, n = ${n}); longer ${percent(longer)}, shorter ${percent(1 - longer)}`,
    ),
    ...(subset_mean === undefined ? [] : [`mean over ${subsets.size} subsets: ${percent(subset_mean)}`]),
    ...localisation(metrics),
    ...(report.setAside.length > 0 ? [`set aside: ${describeSetAside(report.setAside)}`] : []),
  ]
  await print(told.join('\n'))
}

type Metrics = ReturnType<typeof import('../../evaluation/reward-metrics.js').rewardMetrics>

function localisation({ auroc_deleted, auroc_inserted, suffix_leakage }: Metrics): string[] {
  if (!auroc_deleted || !auroc_inserted) return []
  const line = (name: string, { per_text, pooled, texts_with_both }: typeof auroc_deleted) =>
    `AUROC of ${name} tokens: ${per_text.toFixed(3)} within a text (${texts_with_both} texts), ${pooled.toFixed(3)} pooled`
  return [
    line('deleted', auroc_deleted),
    line('inserted', auroc_inserted),
    ...(suffix_leakage ? [`suffix leakage: ${suffix_leakage.mean.toFixed(3)}`] : []),
  ]
}

/** The value of a column in the records of some lines. */
async function subsetNames(file: string, lines: readonly number[], column: string): Promise<string[]> {
  const { asRecord, presentField, wrong } = await import('../../data/fields.js')
  const { readRecords } = await import('../../data/jsonl.js')
  const wanted = new Set(lines)
  const names: string[] = []
  for await (const row of readRecords(file)) {
    if ('error' in row || !wanted.has(row.line)) continue
    const record = asRecord(row.value, file, row.line)
    const value = presentField(record, column)
    if (typeof value !== 'string' && typeof value !== 'number')
      throw wrong(record, column, 'expected the name of a subset', value)
    names.push(String(value))
  }
  return names
}
