/** `emend annotate`: programs edit what is in the queue, through the same door as people. */
import { Command, Option } from 'commander'
import { UsageError } from '../../errors.js'
import { interruptSignal } from '../../pipeline/interrupt.js'
import { progress } from '../../progress.js'
import { type CommonOptions, positiveNumber, withCommonOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'

interface Flags extends CommonOptions {
  by: 'scripted'
  store: string
  world?: string
  limit?: number
}

export function annotateCommand(): Command {
  const command = new Command('annotate')
    .helpGroup(groups.data)
    .description('edit what is in the queue of a store by a program; people edit it with `emend studio`')
    .addOption(new Option('--by <who>', 'who edits').choices(['scripted']).makeOptionMandatory())
    .option('--store <file>', 'the store', process.env['EMEND_STORE'] ?? 'emend.db')
    .option('--world <name>', 'scripted: concierge, or a module that exports (draft) => final')
    .option('--limit <n>', 'most items', positiveNumber)
  return withCommonOptions(command, 'seed')
    .addHelpText(
      'after',
      examples(
        ['emend annotate --by scripted --world concierge', "Concierge's simulated people edit what is pending"],
        ['emend annotate --by scripted --world ./rules.mjs --limit 100', 'a rule of your own edits a hundred drafts'],
      ),
    )
    .action(async (flags: Flags) => {
      if (flags.world === undefined) throw new UsageError('--by scripted needs --world NAME or --world MODULE')
      const [{ annotateQueue, scriptedAnnotator }, { Store }] = await Promise.all([
        import('../../annotators/index.js'),
        import('../../data/store/index.js'),
      ])
      const annotator = await scriptedAnnotator(flags.world, flags.seed)
      await using store = await Store.open(flags.store)
      const { pending } = await store.counts()
      const line = progress('annotate', Math.min(pending, flags.limit ?? pending), 'drafts')
      const report = await annotateQueue(store, annotator, {
        signal: interruptSignal(),
        onItem: done => line.update(done),
        ...(flags.limit !== undefined && { limit: flags.limit }),
      })
      line.finish()
      if (flags.json) return printJson(report)
      const { edited, unchanged, rejected } = report
      await print(
        `${edited} edited, ${unchanged} needed no edit, ${rejected} could not be fixed, by ${annotator.by.name}`,
      )
    })
}
