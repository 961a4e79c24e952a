/** `emend edits`: red lines in the terminal, and what the edits of a store are like. */

import { checkEdit, type Edit } from '@emend/edits'
import { Argument, Command } from 'commander'
import { LONG_AGO, UNKNOWN } from '../../data/store/edits.js'
import type { EditStatistics } from '../../data/store/statistics.js'
import { EmendError } from '../../errors.js'
import { coloursOf } from '../../evaluation/reports/terminal.js'
import { type CommonOptions, realNumber, withCommonOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'
import { redLines, visible } from '../red-lines.js'
import { withStoreOption } from '../store.js'

interface Flags extends CommonOptions {
  store: string
  budget: number
}

export function editsCommand(): Command {
  const command = new Command('edits')
    .helpGroup(groups.data)
    .description('show edits as red lines (show), or how much they change, why and by whom (stats)')
    .addArgument(new Argument('<what>', 'show or stats').choices(['show', 'stats']))
    .argument('[ids...]', 'with show: these edits only; the beginning of an id will do')
    .option('--budget <ratio>', 'edit ratio over words above which an edit is flagged', realNumber, 0.4)
  return withCommonOptions(withStoreOption(command))
    .addHelpText(
      'after',
      examples(
        ['FORCE_COLOR=1 emend edits show | less -R', 'every edit as red lines'],
        ['emend edits show 3fa9 --json', 'the record of an edit'],
        ['emend edits stats', 'edit ratios, reasons, annotators'],
      ),
    )
    .action(async (what: 'show' | 'stats', ids: string[], flags: Flags) => {
      const { editStatistics, Store } = await import('../../data/store/index.js')
      await using store = await Store.open(flags.store, { readonly: true })
      if (what === 'show') return await show(store.edits(), ids, flags)
      const statistics = await editStatistics(store.edits(), flags.budget)
      await (flags.json ? printJson({ store: flags.store, ...statistics }) : print(table(statistics, flags.budget)))
    })
}

async function show(edits: AsyncIterable<Edit>, ids: readonly string[], flags: Flags): Promise<void> {
  const found = new Set<string>()
  let none = true
  for await (const edit of edits) {
    none = false
    const wanted = ids.filter(id => edit.id.startsWith(id))
    if (ids.length > 0 && wanted.length === 0) continue
    for (const id of wanted) found.add(id)
    await (flags.json ? printJson(edit) : print(shown(edit, flags.budget)))
  }
  const missing = ids.find(id => !found.has(id))
  if (none && !missing && !flags.json) await print('no edits')
  if (missing) throw new EmendError(`edit ${missing}: none in ${flags.store} has an id that begins so`)
}

function shown(edit: Edit, budget: number): string {
  const { ratio, flags } = checkEdit(edit, { maxRatio: budget })
  const colours = coloursOf() !== 'none'
  const prompt =
    typeof edit.prompt === 'string' ? edit.prompt : edit.prompt.map(turn => `${turn.role}: ${turn.content}`).join('\n')
  // Records of many formats do not say who edited, and when.
  const known = [edit.by.name === UNKNOWN.name ? '' : visible(edit.by.name), edit.at === LONG_AGO ? '' : edit.at]
  const head = [edit.id.slice(0, 12), ...known.filter(Boolean), `ratio ${ratio.toFixed(2)}`, ...flags]
  if (edit.reasons?.length) head.push(edit.reasons.map(visible).join(', '))
  const title = head.join(' · ')
  const asked = prompt ? `> ${visible(prompt).replaceAll('\n', '\n> ')}\n` : ''
  return `${colours ? `\u001b[2m${title}\u001b[0m` : title}\n${asked}${redLines(edit, colours)}\n`
}

function table(
  statistics: EditStatistics & { reasons: Record<string, number>; annotators: Record<string, EditStatistics> },
  budget: number,
): string {
  if (statistics.edits === 0) return 'no edits'
  const { ratio, reasons, annotators } = statistics
  const f = (x: number) => x.toFixed(3)
  const line = (name: string, { edits, ratio, seconds }: EditStatistics) =>
    `  ${name.padEnd(24)} ${String(edits).padStart(7)}   ${f(ratio.mean)}   ${seconds === undefined ? '—' : seconds.toFixed(1)}`
  return [
    `${statistics.edits} edits`,
    `edit ratio over words: mean ${f(ratio.mean)}, quartiles ${ratio.quartiles.map(f).join(' ')}, 90 % ${f(ratio.p90)}, most ${f(ratio.max)}`,
    `over the budget of ${budget}: ${(100 * ratio.overBudget).toFixed(1)} %`,
    ...(Object.keys(reasons).length > 0
      ? [
          'reasons',
          ...Object.entries(reasons).map(([reason, n]) => `  ${visible(reason).padEnd(24)} ${String(n).padStart(7)}`),
        ]
      : []),
    'annotators                    edits   ratio   median s',
    ...Object.entries(annotators).map(([name, one]) => line(visible(name), one)),
  ].join('\n')
}
