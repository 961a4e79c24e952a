/** `emend export`: what the store holds, in any format. */

import { Command, Option } from 'commander'
import type { ExportReport } from '../../data/formats/export.js'
import type { Kind } from '../../data/formats/index.js'
import { UsageError } from '../../errors.js'
import { interruptSignal } from '../../pipeline/interrupt.js'
import { progress, say } from '../../progress.js'
import { type CommonOptions, withCommonOptions } from '../options.js'
import { examples, groups, printJson } from '../output.js'
import { columnsOf, withStoreOption } from '../store.js'

interface Flags extends CommonOptions {
  store: string
  format: string
  kind?: Kind
  columns?: Record<string, string>
  tokenizer?: string
  run?: string
}

export function exportCommand(): Command {
  const command = new Command('export')
    .helpGroup(groups.data)
    .description('write what the store holds in any format; what the format cannot carry is counted and named')
    .requiredOption('--format <name>', 'see docs/formats.md')
    .option('--out <file>', 'its name says the kind: .jsonl, .json, .csv (.gz for each), .parquet; default: stdout')
    .addOption(new Option('--kind <kind>', 'only these').choices(['edit', 'preference', 'response']))
    .option('--columns <list>', 'what columns are to be called: draft=before,final=after', columnsOf)
    .option('--tokenizer <path>', 'for token-labels: a tokenizer.json, or the folder that holds one')
    .option('--run <dir>', 'for rl-logging-board: the folder of a PPO run')
  return withCommonOptions(withStoreOption(command))
    .addHelpText(
      'after',
      examples(
        ['emend export --format trl-preference --out pairs.jsonl', 'final chosen, draft rejected, for DPO elsewhere'],
        ['emend export --format emend --out edits.jsonl.gz', 'every edit with all that is known of it'],
        ['emend export --format token-labels --tokenizer gpt2 --out labels.jsonl', 'which tokens were edited'],
        ['emend export --format rl-logging-board --run runs/ppo --out rollouts.jsonl', 'rollouts to look at'],
      ),
    )
    .action(async (flags: Flags) => {
      if (flags.json && !flags.out) throw new UsageError('--json prints the report on stdout: name the file with --out')
      process.stdout.on('error', () => {}) // the write that failed says so
      const report = await (flags.format === 'rl-logging-board' ? exportRun(flags) : exportEntries(flags)).catch(
        (error: NodeJS.ErrnoException) => {
          // `emend export … | head`: the reader has what it wanted.
          if (error.code !== 'EPIPE') throw error
        },
      )
      if (!report) return
      if (flags.json) await printJson({ out: flags.out, ...report })
      else for (const line of told(report)) say(line)
    })
}

async function exportEntries({ store: path, out, tokenizer: tokenizerPath, ...flags }: Flags): Promise<ExportReport> {
  const [{ exportStore }, { Store }] = await Promise.all([
    import('../../data/formats/export.js'),
    import('../../data/store/index.js'),
  ])
  const tokenizer = tokenizerPath && (await (await import('../../text/index.js')).Tokenizer.load(tokenizerPath))
  await using store = await Store.open(path, { readonly: true })
  const { format, kind, columns } = flags
  const line = progress('export', 0, 'records')
  const report = await exportStore(store, out ?? process.stdout, {
    format,
    ...(kind && { kind }),
    ...(columns && { columns }),
    ...(tokenizer && { tokenizer }),
    signal: interruptSignal(),
    ...((out || !process.stdout.isTTY) && { onProgress: (written: number) => line.update(written) }),
  })
  line.update(report.written)
  line.finish()
  return report
}

async function exportRun({ run, out, format }: Flags): Promise<ExportReport> {
  if (!run) throw new UsageError(`${format} needs --run DIR, the folder of a PPO run`)
  const [{ boardRollouts }, { writeRows }] = await Promise.all([
    import('../../data/formats/rl-logging-board.js'),
    import('../../data/formats/containers/write.js'),
  ])
  const report: ExportReport = { format, written: 0, leftOut: {}, dropped: {} }
  async function* counted() {
    for await (const rollout of boardRollouts(run!)) {
      report.written++
      yield rollout
    }
  }
  await writeRows(out ?? process.stdout, { container: 'jsonl' }, counted())
  return report
}

function told({ format, written, leftOut, dropped }: ExportReport): string[] {
  const counted = (list: Record<string, number>) =>
    Object.entries(list)
      .map(([what, n]) => `${what || 'the column without a name'} (${n})`)
      .join(', ')
  return [
    `${written} ${written === 1 ? 'record' : 'records'} as ${format}`,
    ...(Object.keys(leftOut).length > 0 ? [`left out: ${counted(leftOut)}`] : []),
    ...(Object.keys(dropped).length > 0 ? [`dropped, since ${format} has no place for them: ${counted(dropped)}`] : []),
  ]
}
