/** `emend generate`: text from a model. */
import { Command } from 'commander'
import { type CommonOptions, positiveNumber, realNumber, wholeNumber, withCommonOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'
import { deviceOption } from '../training.js'

interface Flags extends CommonOptions {
  model: string
  prompt: string
  maxNewTokens: number
  temperature: number
  topK: number
  topP: number
}

export function generateCommand(): Command {
  const command = new Command('generate')
    .helpGroup(groups.models)
    .description('complete a prompt')
    .requiredOption('--model <dir>', 'a Hugging Face folder with tokenizer.json')
    .requiredOption('--prompt <text>', 'what to complete')
    .option('--max-new-tokens <n>', 'longest completion', positiveNumber, 64)
    .option('--temperature <t>', '0 is greedy', realNumber, 1)
    .option('--top-k <k>', 'only the K most likely tokens; 0 all', wholeNumber, 0)
    .option('--top-p <p>', 'only the most likely tokens that make up P; 1 all', realNumber, 1)
  return withCommonOptions(command, 'seed', 'device', 'threads')
    .addHelpText(
      'after',
      examples(["emend generate --model runs/ppo/model --prompt 'Hello' --temperature 0", 'greedy']),
    )
    .action(async (flags: Flags) => {
      const { LanguageModel } = await import('../../index.js')
      if (flags.threads !== undefined) (await import('@emend/torch')).setNumThreads(flags.threads)
      const model = await LanguageModel.load(flags.model, deviceOption(flags))
      const { maxNewTokens, temperature, topK, topP, seed = 0 } = flags
      const [reply] = await model.generate([flags.prompt], { maxNewTokens, temperature, topK, topP, seed })
      if (!reply) return
      if (!flags.json) return print(reply.text)
      await printJson({
        text: reply.text,
        prompt_tokens: Array.from(reply.promptIds),
        tokens: Array.from(reply.ids),
        logprobs: Array.from(reply.logprobs),
        finish_reason: reply.finish === 'eos' ? 'stop' : 'length',
      })
    })
}
