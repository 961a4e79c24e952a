/** `emend run CONFIG`: the pipeline a config describes, from edits to an aligned policy. */
import { join } from 'node:path'
import { Command } from 'commander'
import { interruptSignal } from '../../pipeline/interrupt.js'
import { progressBoard, say } from '../../progress.js'
import { type CommonOptions, type ConfigOptions, withCommonOptions, withConfigOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'
import { settings } from '../training.js'

export function runCommand(): Command {
  const command = new Command('run')
    .helpGroup(groups.pipeline)
    .description('run a pipeline: model, reward model on edits, PPO, report; stages that are done are skipped')
    .argument('<config>', 'a YAML file; see --print-config')
  return withConfigOptions(withCommonOptions(command, 'seed', 'out', 'device', 'threads'))
    .addHelpText(
      'after',
      examples(
        ['emend run examples/human-edits.yaml --out runs/human', 'the whole way on edits made by people'],
        ['emend run config.yaml --set ppo.kl_coef=0.02 --print-config', 'every setting, with what it means'],
      ),
    )
    .action(async (file: string, flags: CommonOptions & ConfigOptions) => {
      const [{ editsConfig }, { editsStages }, { writeEditsReport }, stages] = await Promise.all([
        import('../../pipeline/edits/config.js'),
        import('../../pipeline/edits/stages.js'),
        import('../../pipeline/edits/report.js'),
        import('../../pipeline/stage.js'),
      ])
      const sets = [
        ...flags.set,
        ...(flags.seed !== undefined ? [`seed=${flags.seed}`] : []),
        ...(flags.device ? [`device=${flags.device}`] : []),
      ]
      const config = await settings(editsConfig, { ...flags, set: sets, config: file })
      if (!config) return
      const folder = flags.out ?? join('runs', file.replace(/^.*\//, '').replace(/\.ya?ml$/, ''))
      const outcomes = await stages.runStages(editsStages(config), {
        folder,
        signal: interruptSignal(),
        ...(flags.threads !== undefined && { threads: flags.threads }),
        onProgress: (id, shown) => progressBoard().show(id, shown),
        onLine: line => say(line),
      })
      stages.assertDone(outcomes)
      const { text, json, report } = writeEditsReport(config, folder, outcomes)
      if (flags.json) return printJson({ ...json, report })
      await print(`${text}\nreport: ${report}`)
    })
}
