/** `emend reward`: a reward model from edits or preferences. */
import { join } from 'node:path'
import { Command } from 'commander'
import { examples, groups } from '../output.js'
import { type PairFlags, pairFile, readPairs, withPairOptions } from '../pairs.js'
import { beginRun, deviceOption, report, settings, type TrainingFlags, withTrainingOptions } from '../training.js'

export function rewardCommand(): Command {
  const command = new Command('reward')
    .helpGroup(groups.training)
    .description('train a reward model: one reward for every token (kind: token), or one a response (kind: sequence)')
  return withTrainingOptions(withPairOptions(command))
    .option('--held-out <file>', 'edits or preferences (as above) on which it is reported')
    .addHelpText(
      'after',
      examples(
        ['emend reward --model base --edits edits.jsonl --out runs/reward', 'a token-level reward model from edits'],
        ['emend reward --model base --preferences p.jsonl --set kind=sequence --out runs/rm', 'an ordinary one'],
      ),
    )
    .action(async (flags: TrainingFlags & PairFlags & { heldOut?: string }) => {
      const [{ rewardConfig }, { LanguageModel, trainRewardModel }, { rewardMetrics, flatRewardMetrics }, scoring] =
        await Promise.all([
          import('../../algorithms/reward.js'),
          import('../../index.js'),
          import('../../evaluation/index.js'),
          import('../../rewards/score-pairs.js'),
        ])
      const config = await settings(rewardConfig, flags)
      if (!config) return
      const files = [flags.model, pairFile(flags), ...(flags.heldOut ? [flags.heldOut] : [])]
      const run = await beginRun(rewardConfig, config, flags, 'reward', files)
      const model = await LanguageModel.load(flags.model, deviceOption(flags))
      const pairs = await readPairs(flags, model)
      const reward = await trainRewardModel(model, pairs, config, run)
      await reward.save(join(flags.out, 'model'))
      model.tokenizer.save(join(flags.out, 'model'))
      const held =
        flags.heldOut &&
        (await readPairs(flags.edits ? { edits: flags.heldOut } : { preferences: flags.heldOut }, model))
      await report(flags, {
        model: join(flags.out, 'model'),
        pairs: pairs.length,
        ...(held && { held_out: flatRewardMetrics(rewardMetrics(scoring.scorePairs(reward, held))) }),
      })
    })
}
