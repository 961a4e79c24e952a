/** `emend import`: files of any format into the store. */

import { statSync } from 'node:fs'
import { Command, Option } from 'commander'
import type { ImportReport } from '../../data/formats/import.js'
import type { Redact } from '../../data/store/index.js'
import { UsageError } from '../../errors.js'
import { interruptSignal } from '../../pipeline/interrupt.js'
import { progress } from '../../progress.js'
import { type CommonOptions, withCommonOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'
import { columnsOf, withStoreOption } from '../store.js'

interface Flags extends CommonOptions {
  store: string
  format?: string
  columns?: Record<string, string>
  onBad: 'stop' | 'reject'
  rejects?: string
  redact: string[]
  queue?: boolean
}

export function importCommand(): Command {
  const command = new Command('import')
    .helpGroup(groups.data)
    .description('read edits, preferences and responses of any format into the store; twice changes nothing')
    .argument('<files...>', 'JSON Lines, JSON, CSV or Parquet, gzipped or not')
    .option('--format <name>', 'its format, if it is not to be told by its records; see docs/formats.md')
    .option('--columns <list>', 'what its columns are called: draft=before,final=after', columnsOf)
    .addOption(
      new Option('--on-bad <what>', 'what to do with a record that cannot be read')
        .choices(['stop', 'reject'])
        .default('stop'),
    )
    .option('--rejects <file>', 'where bad records go; default FILE.rejects.jsonl')
    .option(
      '--redact <what>',
      'contacts (e-mail addresses, telephone numbers), or a module whose default export changes a record; repeatable',
      (value: string, before: string[]) => [...before, value],
      [],
    )
    .option('--queue', 'put responses into the annotation queue too')
  return withCommonOptions(withStoreOption(command))
    .addHelpText(
      'after',
      examples(
        ['emend import edits.jsonl', 'edits into emend.db; the format is told by the records'],
        ['emend import replies.csv --columns prompt=question,draft=sent,final=corrected', 'a table of support replies'],
        ['emend import train.jsonl.gz --format hh-rlhf --on-bad reject', 'a named format; bad records set aside'],
        [
          'emend import answers.jsonl --queue --redact contacts',
          'responses to edit in emend studio, without addresses',
        ],
      ),
    )
    .action(async (files: string[], flags: Flags) => {
      const [{ importFile }, { Store }] = await Promise.all([
        import('../../data/formats/import.js'),
        import('../../data/store/index.js'),
      ])
      const redact = await redaction(flags.redact)
      await using store = await Store.open(flags.store)
      const { format, columns, onBad, rejects, queue = false } = flags
      const signal = interruptSignal()
      const reports: ImportReport[] = []
      for (const file of files) {
        const size = megabytes(file)
        const line = progress(`import ${file}`, size, 'MB')
        const options = { onBad, queue, signal, ...(redact && { redact }), ...(format && { format }) }
        const report = await importFile(store, file, {
          ...options,
          ...(columns && { columns }),
          // Several files have one file of rejects, if it is named.
          ...(rejects && { rejects, addRejects: reports.some(({ rejected }) => rejected > 0) }),
          onProgress: (read, share) => line.update(share * size, `${read} records`),
        })
        line.update(size)
        line.finish(`${report.read} records`)
        reports.push(report)
      }
      await (flags.json ? printJson({ store: flags.store, files: reports }) : print(reports.map(told).join('\n')))
    })
}

/** 0 where there is no such file: reading it says so. */
const megabytes = (file: string) => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) / 1e6

const told = (report: ImportReport) => `${report.file}: ${report.format}; ${summary(report)}`

function summary({ read, added, known, rejected, setAside, repaired, asText, queued }: ImportReport): string {
  const parts = [`${read} ${read === 1 ? 'record' : 'records'}`, `${added} new`, `${known} known`]
  if (rejected) parts.push(`${rejected} rejected`)
  for (const [why, n] of Object.entries(setAside)) parts.push(`${n} set aside (${why})`)
  if (repaired) parts.push(`${repaired} lone surrogates became U+FFFD`)
  if (asText) parts.push(`${asText} numbers of more digits than a number holds became text`)
  if (queued) parts.push(`${queued} queued`)
  return parts.join(', ')
}

/** The redactions one after another. */
async function redaction(names: readonly string[]): Promise<Redact | undefined> {
  if (names.length === 0) return undefined
  const { redactContacts } = await import('../../data/store/index.js')
  const steps = await Promise.all(names.map(name => (name === 'contacts' ? redactContacts : redactModule(name))))
  return record => steps.reduce<ReturnType<Redact>>((changed, step) => changed && step(changed), record)
}

async function redactModule(path: string): Promise<Redact> {
  const { pathToFileURL } = await import('node:url')
  try {
    const loaded = (await import(pathToFileURL(path).href)) as { default?: unknown }
    if (typeof loaded.default === 'function') return loaded.default as Redact
  } catch (cause) {
    throw new UsageError(`--redact ${path}: cannot be loaded (${(cause as Error).message})`, { cause })
  }
  throw new UsageError(`--redact ${path}: its default export must be a function from a record to a record`)
}
