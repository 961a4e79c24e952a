/** `emend annotate`: programs and language models edit what is in the queue, through the same door as people. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { EditOp } from '@emend/edits'
import { Command, Option } from 'commander'
import type { Annotator, Forecast, QueueReport } from '../../annotators/index.js'
import type { Store } from '../../data/store/index.js'
import { DataError, UsageError } from '../../errors.js'
import { interruptSignal } from '../../pipeline/interrupt.js'
import { type Progress, progress } from '../../progress.js'
import type { Caller } from '../../providers/index.js'
import { type ChatModelOptions, describeCalls, openCaller, pricesOf, withChatModel } from '../chat-model.js'
import { refuseIdle } from '../idle-options.js'
import { positiveNumber, realNumber, wholeNumber, withCommonOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'

interface Flags extends ChatModelOptions {
  by: 'scripted' | 'llm'
  store: string
  world?: string
  limit?: number
  budget: number
  again: number
  temperature: number
  verify?: boolean
  dryRun?: boolean
}

export function annotateCommand(): Command {
  const command = new Command('annotate')
    .helpGroup(groups.data)
    .description('edit what is in the queue of a store by a program or a language model; people use `emend studio`')
    .addOption(new Option('--by <who>', 'who edits').choices(['scripted', 'llm']).makeOptionMandatory())
    .option('--store <file>', 'the store', process.env['EMEND_STORE'] ?? 'emend.db')
    .option('--world <name>', 'scripted: concierge, or a module that exports (draft) => final')
    .option('--limit <n>', 'most items', positiveNumber)
    .option('--budget <ratio>', 'llm: highest edit ratio, in words', realNumber, 0.4)
    .option('--again <n>', 'llm: how often it is asked once more after an answer that cannot be used', wholeNumber, 2)
    .option('--temperature <t>', 'llm: 0 is greedy', realNumber, 0)
    .option('--verify', 'llm: keep only edits that the model, as a judge in both orders, prefers to the draft')
    .option('--dry-run', 'llm: estimate tokens and price, and ask nothing')
  return withCommonOptions(withChatModel(command, 'llm: who edits'), 'seed', 'device', 'threads')
    .addHelpText(
      'after',
      examples(
        ['emend annotate --by scripted --world concierge', "Concierge's simulated people edit what is pending"],
        ['emend annotate --by scripted --world ./rules.mjs --limit 100', 'a rule of your own edits a hundred drafts'],
        [
          'emend annotate --by llm --llm openai-compatible:NAME --base-url http://127.0.0.1:8080/v1 --limit 10',
          'a model that `emend serve` runs edits ten drafts',
        ],
        [
          'emend annotate --by llm --llm openai:NAME --price-input IN --price-output OUT --max-cost 5 --dry-run',
          'what it would cost, at prices for a million tokens',
        ],
      ),
    )
    .action((flags: Flags, command: Command) =>
      flags.by === 'llm' ? byLanguageModel(flags) : byScript(flags, command),
    )
}

async function byScript(flags: Flags, command: Command): Promise<void> {
  refuseIdle(command, ['by', 'store', 'world', 'limit'], '--by scripted')
  if (flags.world === undefined) throw new UsageError('--by scripted needs --world NAME or --world MODULE')
  mustExist(flags.store)
  const { scriptedAnnotator } = await import('../../annotators/index.js')
  const { Store } = await import('../../data/store/index.js')
  const annotator = await scriptedAnnotator(flags.world, flags.seed)
  await using store = await Store.open(flags.store)
  const report = await work(store, annotator, flags, 1)
  if (flags.json) return printJson(report)
  await print(await describe(report, annotator.by.name))
}

async function byLanguageModel(flags: Flags): Promise<void> {
  if (flags.world !== undefined) throw new UsageError('--world does nothing with --by llm: leave it out')
  const { llmEditor, forecast } = await import('../../annotators/index.js')
  const { Store } = await import('../../data/store/index.js')
  const prices = pricesOf(flags)
  const { budget, again, temperature, maxTokens, limit, seed } = flags
  // No answer would be used, or taken, and each would be paid for.
  if (!(budget > 0 && budget <= 1)) throw new UsageError(`--budget: got ${budget}, expected more than 0, at most 1`)
  if (temperature < 0) throw new UsageError(`--temperature: got ${temperature}, expected at least 0`)
  mustExist(flags.store)
  // Who only asks what it would cost makes no file of calls.
  const kept = flags.dryRun && !existsSync(flags.calls) ? ':memory:' : flags.calls
  const { caller, store: calls } = await openCaller({ ...flags, calls: kept })
  using _ = calls
  await using store = await Store.open(flags.store)
  const how = { temperature, maxTokens, ...(seed !== undefined && { seed }) }
  if (flags.dryRun) {
    const found = await forecast(store, caller, {
      ...how,
      asks: again + 1,
      judged: flags.verify ?? false,
      ...(prices && { prices }),
      ...(limit !== undefined && { limit }),
    })
    return flags.json ? printJson(found) : print(describeForecast(found))
  }
  const verify = flags.verify ? await judge(caller, flags) : undefined
  const annotator = llmEditor(caller, { ...how, budget, again, ...(verify && { verify }) })
  const report = await work(store, annotator, flags, flags.concurrency, caller)
  const summary = caller.summary()
  if (flags.json) await printJson({ ...report, calls: summary })
  else await print(`${await describe(report, annotator.by.name)}\n${describeCalls(summary, prices !== undefined)}`)
  if (report.stopped !== undefined) process.exitCode = report.stopped === 'interrupted' ? 130 : 1
  else if (Object.keys(report.failed).length > 0 && summary.answered + summary.cached === 0) process.exitCode = 1
}

/** A store whose name is mistyped would be made, and have nothing to do. */
function mustExist(store: string): void {
  if (!existsSync(store))
    throw new DataError('no such store; check the path, or fill it by `emend import --queue`', { file: store })
}

function describeForecast(found: Forecast): string {
  const { items, not_asked, calls, cached, input_tokens, output_tokens, cost, worst_cost } = found
  return [
    `${items} drafts: ${calls} calls to make, ${cached} answered before`,
    ...(not_asked > 0 ? [`${not_asked} are empty, or longer than an answer may be: not asked`] : []),
    `about ${input_tokens} tokens read, ${output_tokens} written (estimates, if no draft is asked for again)`,
    cost === undefined
      ? 'give --price-input and --price-output to see a cost'
      : `about ${cost.toFixed(4)}, at worst ${worst_cost!.toFixed(4)}`,
  ].join('\n')
}

async function judge(caller: Caller, { maxTokens, seed = 0 }: Flags) {
  const { bothOrders, llmJudge } = await import('../../evaluation/judges/index.js')
  return bothOrders(llmJudge(caller, { maxTokens, seed }))
}

async function work(store: Store, annotator: Annotator, flags: Flags, parallel: number, caller?: Caller) {
  const { annotateQueue } = await import('../../annotators/index.js')
  let done = 0
  let line: Progress | undefined
  const show = () => line?.update(done, caller && note(caller))
  // A model that is slow, or does not answer, is seen to be.
  const ticking = setInterval(show, 1000)
  try {
    return await annotateQueue(store, annotator, {
      parallel,
      signal: interruptSignal(),
      onStart: items => {
        line = progress('annotate', items, 'drafts')
        show()
      },
      onItem: n => {
        done = n
      },
      ...(caller && { desk: resolve(flags.calls) }),
      ...(flags.limit !== undefined && { limit: flags.limit }),
    })
  } finally {
    clearInterval(ticking)
    // The closing line tells all, also what was done since it was last drawn.
    show()
    line?.finish(caller && note(caller))
  }
}

function note(caller: Caller): string {
  const { attempts, cached, failures, spent } = caller.summary()
  const failed = Object.values(failures).reduce((sum, { n }) => sum + n, 0)
  return `${attempts} requests, ${cached} from disk, ${failed} failed${spent > 0 ? `, ${spent.toFixed(4)} spent` : ''}`
}

async function describe(report: QueueReport, name: string): Promise<string> {
  const [{ segments }, { redLine }] = await Promise.all([
    import('@emend/edits'),
    import('../../evaluation/reports/terminal.js'),
  ])
  const { edited, unchanged, rejected, failing, failed, lost, stopped, edit_ratio: ratio } = report
  const listed = (counts: object) =>
    Object.entries(counts)
      .map(([what, n]) => `${what} ${n}`)
      .join(', ')
  const lines = [`${edited} edited, ${unchanged} needed no edit, ${rejected} could not be fixed, by ${name}`]
  if (Object.keys(failing).length > 0) lines.push(`no usable edit, still pending: ${listed(failing)}`)
  if (Object.keys(failed).length > 0) lines.push(`no answer, still pending: ${listed(failed)}`)
  if (lost > 0) lines.push(`${lost} became someone else's meanwhile`)
  if (stopped !== undefined) lines.push(`stopped: ${stopped}`)
  if (ratio.n > 0) {
    const [q1, median, q3] = ratio.quartiles
    const share = (x: number) => x.toFixed(2)
    lines.push(
      `edit ratio, in words: mean ${share(ratio.mean)}, quartiles ${share(q1)} ${share(median)} ${share(q3)}, 90 % below ${share(ratio.p90)}, most ${share(ratio.max)}`,
      ...report.examples.map(
        edit => `  ${redLine(segments(edit.draft, edit.final, edit.ops as EditOp[])).replaceAll('\n', '\n  ')}`,
      ),
    )
  }
  return lines.join('\n')
}
