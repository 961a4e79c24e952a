/** `emend ppo`: PPO with a reward at every token. */
import { Command } from 'commander'
import { refuseEmpty } from '../../data/reading.js'
import { progress, reporting } from '../../progress.js'
import type { PaymentName } from '../../rewards/payments/index.js'
import { refuseLong } from '../lengths.js'
import { examples, groups } from '../output.js'
import {
  beginRun,
  deviceOption,
  report,
  saveTrained,
  settings,
  type TrainingFlags,
  withTrainingOptions,
} from '../training.js'

export function ppoCommand(): Command {
  const command = new Command('ppo')
    .helpGroup(groups.training)
    .description('train a policy by PPO on a reward model; the reward is centred and scaled on samples first')
    .requiredOption('--reward <dir>', 'a reward model, as `emend reward` writes it (OUT/model)')
    .requiredOption('--prompts <file>', 'JSON Lines of {prompt}, or a text file with one on each line')
    .option('--payment <name>', 'where the reward is paid: terminal, token, token-mean, uniform')
  return withTrainingOptions(command)
    .addHelpText(
      'after',
      examples(
        [
          'emend ppo --model base --reward runs/reward/model --prompts prompts.jsonl --out runs/ppo',
          'fine-grained PPO',
        ],
        ['emend ppo … --payment terminal --set kl_coef=0.05', 'ordinary PPO, a looser leash'],
      ),
    )
    .action(async (flags: TrainingFlags & { reward: string; prompts: string; payment?: PaymentName }) => {
      const [{ ppoConfig }, { align, LanguageModel, RewardModel, readPrompts }] = await Promise.all([
        import('../../algorithms/ppo.js'),
        import('../../index.js'),
      ])
      const config = await settings(ppoConfig, flags)
      if (!config) return
      const run = await beginRun(ppoConfig, config, flags, `ppo ${flags.payment ?? ''}`.trim(), [
        flags.model,
        flags.reward,
        flags.prompts,
      ])
      const model = await LanguageModel.load(flags.model, deviceOption(flags))
      const reward = await RewardModel.load(flags.reward, { ...deviceOption(flags), share: model })
      const { prompts, lines, report: read } = await readPrompts(flags.prompts)
      if (read.empty > 0) process.stderr.write(`${flags.prompts}: ${read.empty} empty prompts left out\n`)
      refuseEmpty(read)
      const encoded = await model.encode(prompts.map(record => record.prompt))
      // A prompt leaves room for one token at least.
      const lengths = encoded.map(ids => ids.length + 1)
      refuseLong(flags.prompts, lines, lengths, model.decoder.config.maxPositions)
      const { payment } = flags
      const aligned = await align(model, {
        ...{ ...config, ...run, prompts: encoded, reward },
        ...(payment && { payment }),
        onCalibration: reporting(total => progress('calibration', total, 'sample')),
      })
      const folder = await saveTrained(aligned, config, flags.out)
      await report(flags, { model: folder, prompts: encoded.length, steps: config.steps })
    })
}
