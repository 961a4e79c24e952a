/** `emend sft`: supervised fine-tuning on responses, or on the finals of edits. */
import { Command } from 'commander'
import { refuseEmpty } from '../../data/reading.js'
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

export function sftCommand(): Command {
  const command = new Command('sft')
    .helpGroup(groups.training)
    .description('fine-tune a model on the edited texts (the cheapest control for everything else)')
    .requiredOption(
      '--edits <file>',
      'a store (emend.db) or JSON Lines of {prompt, draft, final}: the finals are learnt',
    )
  return withTrainingOptions(command)
    .addHelpText(
      'after',
      examples(['emend sft --model base --edits edits.jsonl --out runs/finals', 'SFT on the finals']),
    )
    .action(async (flags: TrainingFlags & { edits: string }) => {
      const [{ sftConfig }, { fineTune, LanguageModel, readEdits }] = await Promise.all([
        import('../../algorithms/sft.js'),
        import('../../index.js'),
      ])
      const config = await settings(sftConfig, flags)
      if (!config) return
      const run = await beginRun(sftConfig, config, flags, 'sft', [flags.model, flags.edits])
      const model = await LanguageModel.load(flags.model, deviceOption(flags))
      const { edits, lines, report: read } = await readEdits(flags.edits)
      refuseEmpty(read)
      const texts = edits.map(({ prompt, final }) => ({ prompt, response: final }))
      const [prompts, finals] = [
        await model.encode(texts.map(text => text.prompt)),
        await model.tokenizer.encodeBatch(texts.map(text => text.response)),
      ]
      const lengths = prompts.map((prompt, i) => prompt.length + finals[i]!.ids.length + 1)
      refuseLong(flags.edits, lines, lengths, model.decoder.config.maxPositions)
      const folder = await saveTrained(await fineTune(model, texts, config, run), config, flags.out)
      await report(flags, { model: folder, examples: texts.length })
    })
}
