/** `emend search`: the same PPO settings tried for every arm, on a seed and prompts that the table does not use. */
import { join } from 'node:path'
import { Command } from 'commander'
import { writeAtomically } from '../../pipeline/atomic-file.js'
import { interruptSignal } from '../../pipeline/interrupt.js'
import { progressBoard, say } from '../../progress.js'
import { type CommonOptions, type ConfigOptions, withCommonOptions, withConfigOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'
import { settings } from '../training.js'

export function searchCommand(): Command {
  const command = new Command('search')
    .helpGroup(groups.pipeline)
    .description("choose the demo's PPO settings: every arm gets the same points, judged on validation prompts")
    .option('--arms <list>', 'only these arms, separated by commas')
  return withConfigOptions(withCommonOptions(command, 'out'))
    .addHelpText('after', examples(['emend search --out runs/search', 'what the settings in searched.ts come from']))
    .action(async (flags: CommonOptions & ConfigOptions & { arms?: string }) => {
      const [{ experimentConfig }, { armsNamed }, { runSearch }, { SEARCH_SEED }] = await Promise.all([
        import('../../worlds/experiment/config.js'),
        import('../../worlds/experiment/arms.js'),
        import('../../worlds/experiment/run.js'),
        import('../../worlds/experiment/search.js'),
      ])
      const config = await settings(experimentConfig, {
        ...flags,
        set: [`seed=${SEARCH_SEED}`, 'arms={}', 'validation=400', ...flags.set],
      })
      if (!config) return
      const folder = flags.out ?? join('runs', 'search')
      const found = await runSearch(config, folder, {
        arms: armsNamed(flags.arms),
        signal: interruptSignal(),
        onProgress: (id, shown) => progressBoard().show(id, shown),
        onLine: line => say(line),
      })
      writeAtomically(join(folder, 'searched.json'), `${JSON.stringify(found, null, 2)}\n`)
      if (flags.json) return printJson(found)
      const rows = found.tried.map(
        t =>
          `${t.arm.padEnd(14)} lr ${t.learning_rate} kl ${t.kl_coef}  win ${t.win_rate.toFixed(1)} ± ${t.standard_error.toFixed(1)}  KL ${t.kl.toFixed(2)}  repeats ${t.repeats.toFixed(2)}  tokens ${t.avg_tokens.toFixed(1)}`,
      )
      await print([...rows, '', `chosen: ${JSON.stringify(found.arms)}`].join('\n'))
    })
}
