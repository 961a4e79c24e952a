/** `emend studio`: the page where people edit drafts, on this machine. */
import { spawn } from 'node:child_process'
import { userInfo } from 'node:os'
import { Command } from 'commander'
import type { Store } from '../../data/store/index.js'
import { interruptSignal } from '../../pipeline/interrupt.js'
import { say } from '../../progress.js'
import { type CommonOptions, positiveNumber, realNumber, wholeNumber, withCommonOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'
import { deviceOption } from '../training.js'
import { tokenizerBeside } from './score.js'

interface Flags extends CommonOptions {
  store: string
  from?: string
  reward?: string
  tokenizer?: string
  host: string
  port: number
  open: boolean
  annotator?: string
  reasons: string
  budget: number
  lease: number
}

const REASONS = 'wrong fact,made up,left out,tone,private,repeats,unclear,format,other'

export function studioCommand(): Command {
  const command = new Command('studio')
    .helpGroup(groups.data)
    .description('a page in the browser where people edit drafts, with red lines as they type and token rewards')
    .option(
      '--store <file>',
      'the store of drafts and edits; made if it is not there',
      process.env['EMEND_STORE'] ?? 'emend.db',
    )
    .option('--from <run>', 'a run of `emend demo`: its replies to edit, its reward model to look through')
    .option('--reward <dir>', 'a reward model, as `emend reward` writes it')
    .option('--tokenizer <path>', 'tokenizer.json, where the reward model has none beside it')
    .option('--annotator <name>', 'who edits; the page can say otherwise')
    .option('--reasons <list>', 'tags for edits, separated by commas; the first nine get a key', REASONS)
    .option('--budget <ratio>', 'edit ratio above which an edit is flagged', realNumber, 0.4)
    .option('--lease <seconds>', 'how long an item stays with a window that has gone silent', positiveNumber, 600)
    .option('--host <address>', 'where to listen; by default this machine only', '127.0.0.1')
    .option('--port <n>', 'port; 0 takes any that is free', wholeNumber, 8090)
    .option('--no-open', 'open no browser')
  return withCommonOptions(command, 'device', 'threads')
    .addHelpText(
      'after',
      examples(
        ['emend studio', 'edit what is in emend.db; a new store begins with the replies of the last demo'],
        ['emend studio --from runs/demo-1', "the demo's replies to edit, its reward model to look through"],
        ['emend studio --store support.db --reward runs/reward/model', 'a store of your own under a reward model'],
      ),
    )
    .action(async (flags: Flags) => {
      const { Store } = await import('../../data/store/index.js')
      const { contentOfRun, RewardReader, startStudio } = await import('../../server/studio/index.js')
      const { Tokenizer } = await import('../../text/index.js')
      const signal = interruptSignal()
      await using store = await Store.open(flags.store)
      const counts = await store.counts()
      const isEmpty = Object.values(counts).every(n => n === 0)
      const from = flags.from ?? (await usualRun(store))
      const run = from === undefined ? undefined : contentOfRun(from)
      if (run && (isEmpty || flags.from !== undefined)) {
        const { added } = await store.addItems(run.items)
        say(`${added} drafts of ${from} came into ${flags.store}`)
      } else if (isEmpty) {
        say(`${flags.store} holds no drafts yet: emend import FILE --queue, or emend studio --from runs/demo-1`)
      }
      const folder = flags.reward ?? run?.reward
      const tokenizer = flags.tokenizer ?? (flags.reward === undefined ? run?.tokenizer : undefined)
      // A thread that is not ended would keep the process, also where the studio cannot start.
      await using reward =
        folder === undefined
          ? undefined
          : await RewardReader.open(folder, await Tokenizer.load(tokenizer ?? tokenizerBeside(folder)), {
              ...deviceOption(flags),
              threads: flags.threads ?? 1,
            })
      await using studio = await startStudio({
        store,
        annotator: flags.annotator ?? userInfo().username,
        reasons: flags.reasons
          .split(',')
          .map(reason => reason.trim())
          .filter(Boolean),
        budget: flags.budget,
        leaseSeconds: flags.lease,
        host: flags.host,
        port: flags.port,
        ...(reward && { reward }),
      })
      if (flags.json) await printJson({ url: studio.url, store: flags.store, ...(folder && { reward: folder }) })
      else await print(`${studio.url} edits ${flags.store}${folder ? `, under ${folder}` : ''}; Ctrl-C stops it`)
      if (flags.open && !flags.json && process.stdout.isTTY) openBrowser(studio.url)
      await new Promise<void>(resolve => {
        if (signal.aborted) resolve()
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    })
}

/** The latest demo, if the store is new or began with it. */
async function usualRun(store: Store): Promise<string | undefined> {
  const { latestDemo, sourceOf } = await import('../../server/studio/index.js')
  const run = latestDemo()
  const [first] = (await store.items({ size: 1 })).items
  return run !== undefined && (!first || first.source === sourceOf(run)) ? run : undefined
}

/** A browser that cannot be opened is no error: the address is printed. */
function openBrowser(url: string): void {
  const [command, ...args] =
    process.platform === 'darwin' ? ['open'] : process.platform === 'win32' ? ['cmd', '/c', 'start', ''] : ['xdg-open']
  spawn(command!, [...args, url], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref()
}
