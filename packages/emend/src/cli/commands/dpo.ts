/** `emend dpo`: direct preference optimisation on edits or preferences. */
import { Command } from 'commander'
import { examples, groups } from '../output.js'
import { type PairFlags, pairFile, readPairs, withPairOptions } from '../pairs.js'
import {
  beginRun,
  deviceOption,
  report,
  saveTrained,
  settings,
  type TrainingFlags,
  withTrainingOptions,
} from '../training.js'

export function dpoCommand(): Command {
  const command = new Command('dpo')
    .helpGroup(groups.training)
    .description('train a policy by DPO on edits or preferences')
  return withTrainingOptions(withPairOptions(command))
    .addHelpText('after', examples(['emend dpo --model base --edits edits.jsonl --out runs/dpo', 'DPO on edits']))
    .action(async (flags: TrainingFlags & PairFlags) => {
      const [{ dpoConfig }, { alignByDpo, LanguageModel }] = await Promise.all([
        import('../../algorithms/dpo.js'),
        import('../../index.js'),
      ])
      const config = await settings(dpoConfig, flags)
      if (!config) return
      const run = await beginRun(dpoConfig, config, flags, 'dpo', [flags.model, pairFile(flags)])
      const model = await LanguageModel.load(flags.model, deviceOption(flags))
      const pairs = await readPairs(flags, model)
      const folder = await saveTrained(await alignByDpo(model, pairs, config, run), config, flags.out)
      await report(flags, { model: folder, pairs: pairs.length })
    })
}
