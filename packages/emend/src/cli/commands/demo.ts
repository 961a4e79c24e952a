/** `emend demo`: the controlled experiment on the embedded world, in minutes. */
import { join } from 'node:path'
import { Command } from 'commander'
import { interruptSignal } from '../../pipeline/interrupt.js'
import { progressBoard, say } from '../../progress.js'
import { type CommonOptions, type ConfigOptions, withCommonOptions, withConfigOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'
import { settings } from '../training.js'

/** A demo of a minute: everything runs, nothing is learnt well. */
const QUICK = [
  'demonstrations=3000',
  'pairs=200',
  'held_out=60',
  'calibration=64',
  'prompts=500',
  'validation=50',
  'test=100',
  'tokenizer.texts=2000',
  'ppo.steps=4',
  'ppo.rollouts=64',
  'ppo.evaluate_every=2',
]

export function demoCommand(): Command {
  const command = new Command('demo')
    .helpGroup(groups.pipeline)
    .description('the whole method on the embedded world: SFT, edits, reward models, PPO, win rates, a report')
    .option('--quick', 'a minute instead of ten: shows that everything runs, not what it is worth')
    .option('--arms <list>', 'only these arms, separated by commas')
  return withConfigOptions(withCommonOptions(command, 'seed', 'out'))
    .addHelpText(
      'after',
      examples(
        ['emend demo', 'seven arms under the same conditions; the table, and a report to open in a browser'],
        ['emend demo --seed 2 --out runs/seed-2', 'again with another seed'],
        ['emend demo --set ppo.kl_coef=0.05 --print-config', 'every setting, with what it means'],
      ),
    )
    .action(async (flags: CommonOptions & ConfigOptions & { quick?: boolean; arms?: string }) => {
      const [{ experimentConfig }, { armsNamed }, { runExperiment }, { writeExperimentReport }] = await Promise.all([
        import('../../worlds/experiment/config.js'),
        import('../../worlds/experiment/arms.js'),
        import('../../worlds/experiment/run.js'),
        import('../../worlds/experiment/report.js'),
      ])
      const seed = flags.seed !== undefined ? [`seed=${flags.seed}`] : []
      const config = await settings(experimentConfig, {
        ...flags,
        set: [...(flags.quick ? QUICK : []), ...flags.set, ...seed],
      })
      if (!config) return
      const folder = flags.out ?? join('runs', flags.quick ? `demo-quick-${config.seed}` : `demo-${config.seed}`)
      const outcomes = await runExperiment(config, folder, {
        arms: armsNamed(flags.arms),
        signal: interruptSignal(),
        onProgress: (id, shown) => progressBoard().show(id, shown),
        onLine: line => say(line),
      })
      const { json, text } = writeExperimentReport(config, folder, outcomes)
      if (flags.json) return printJson(json)
      await print(text)
    })
}
