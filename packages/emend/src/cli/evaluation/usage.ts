/** Which of its works `emend evaluate` is told to do, and which of its options belong to it. */
import { Command } from 'commander'
import { UsageError } from '../../errors.js'
import { withChatModel } from '../chat-model.js'
import { refuseIdle } from '../idle-options.js'
import type { EvaluateFlags } from './flags.js'

/** A reward model on pairs; games that were judged before; replies in a world; outputs that a judge compares. */
export type Work = 'pairs' | 'annotations' | 'world' | 'outputs'

type Name = keyof EvaluateFlags

/** Where the figures of games go, and what they are compared with. */
const TOLD: readonly Name[] = ['against', 'annotationsOut', 'leaderboard', 'name', 'report']
const SAMPLED: readonly Name[] = ['model', 'temperature', 'maxNewTokens']

/** What each judge reads. */
function judgeOptions(judge: NonNullable<EvaluateFlags['judge']>): readonly string[] {
  if (judge === 'reward') return ['reward', 'tokenizer']
  if (judge === 'oracle') return ['world']
  return ['bothOrders', 'dryRun', ...withChatModel(new Command(), '').options.map(option => option.attributeName())]
}

/** @throws UsageError for what is missing, contradicts itself, or was given and does nothing */
export function workOf(flags: EvaluateFlags, command: Command): Work {
  const { annotations, judge, model, modelOutputs, referenceOutputs, world } = flags
  if (flags.preferences !== undefined || flags.edits !== undefined) {
    const by = flags.edits === undefined ? '--preferences' : '--edits'
    refuseIdle(command, ['preferences', 'edits', 'reward', 'tokenizer', 'subset'] satisfies Name[], by)
    return 'pairs'
  }
  if (flags.dryRun && judge !== 'llm')
    throw new UsageError('--dry-run goes with --judge llm: other judges cost nothing')
  if (annotations !== undefined) {
    if (model !== undefined || modelOutputs !== undefined)
      throw new UsageError('give either --annotations FILE or outputs to judge, not both')
    if (judge !== undefined)
      throw new UsageError(`--annotations FILE holds judgements already: leave out --judge ${judge}, or give outputs`)
    refuseIdle(command, ['annotations', ...TOLD], '--annotations')
    return 'annotations'
  }
  if (modelOutputs !== undefined || referenceOutputs !== undefined) {
    if (referenceOutputs === undefined)
      throw new UsageError('give --reference-outputs FILE, with which the outputs are compared')
    if (judge === undefined) throw new UsageError('give --judge llm, --judge reward or --judge oracle')
    if ((modelOutputs === undefined) === (model === undefined))
      throw new UsageError('give either --model-outputs FILE or --model DIR')
    const [outputs, by] =
      model === undefined ? [['modelOutputs'], '--model-outputs'] : [['chat', ...SAMPLED], '--model']
    const read = ['referenceOutputs', 'judge', ...outputs, ...judgeOptions(judge), ...TOLD]
    refuseIdle(command, read, `${by} and --judge ${judge}`)
    return 'outputs'
  }
  if (model === undefined)
    throw new UsageError(
      'give --annotations FILE, --model-outputs FILE with --reference-outputs FILE, --model DIR with --world concierge, or --reward DIR with --preferences FILE',
    )
  if (world !== 'concierge') throw new UsageError(`--world: got ${world ?? 'nothing'}, expected concierge`)
  if (judge !== undefined && judge !== 'oracle')
    throw new UsageError(
      `--world is judged by its oracle: leave out --judge ${judge}, or give --reference-outputs FILE`,
    )
  refuseIdle(command, ['world', 'n', 'judge', ...SAMPLED, ...TOLD], '--model and --world')
  return 'world'
}
