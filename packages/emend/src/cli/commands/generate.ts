/** `emend generate`: text from a model. */
import { Command } from 'commander'
import { EmendError } from '../../errors.js'
import type { Answer, LanguageModel } from '../../index.js'
import { interruptSignal } from '../../pipeline/interrupt.js'
import { type CommonOptions, positiveNumber, realNumber, wholeNumber, withCommonOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'
import { deviceOption } from '../training.js'

interface Flags extends CommonOptions {
  model: string
  prompt: string
  chat?: boolean
  maxNewTokens: number
  temperature: number
  topK: number
  topP: number
  minP: number
  repetitionPenalty: number
  stop: string[]
  n: number
}

export function generateCommand(): Command {
  const command = new Command('generate')
    .helpGroup(groups.models)
    .description('complete a prompt, or answer it')
    .requiredOption('--model <model>', 'a Hugging Face folder with tokenizer.json, a GGUF file, or what was pulled')
    .requiredOption('--prompt <text>', 'what to complete; with --chat what the user says')
    .option('--chat', "apply the model's chat template")
    .option('--max-new-tokens <n>', 'longest completion', positiveNumber, 64)
    .option('--temperature <t>', '0 is greedy', realNumber, 1)
    .option('--top-k <k>', 'only the K most likely tokens; 0 all', wholeNumber, 0)
    .option('--top-p <p>', 'only the most likely tokens that make up P; 1 all', realNumber, 1)
    .option('--min-p <p>', 'only tokens P times as likely as the most likely one; 0 all', realNumber, 0)
    .option('--repetition-penalty <r>', 'makes tokens that were seen less likely; 1 does not', realNumber, 1)
    .option('--stop <text...>', 'texts that end the completion', [])
    .option('--n <n>', 'completions', positiveNumber, 1)
  return withCommonOptions(command, 'seed', 'device', 'threads')
    .addHelpText(
      'after',
      examples(
        ["emend generate --model runs/ppo/model --prompt 'Hello' --temperature 0", 'greedy'],
        ["emend generate --model ./SmolLM2-135M-Instruct --chat --prompt 'Name a river.' --n 3", 'three answers'],
      ),
    )
    .action(async (flags: Flags) => {
      const { LanguageModel } = await import('../../index.js')
      if (flags.threads !== undefined) (await import('@emend/torch')).setNumThreads(flags.threads)
      const model = await LanguageModel.load(flags.model, deviceOption(flags))
      const prompt = await promptIds(model, flags)
      const { maxNewTokens, stop, n, seed = 0, temperature, topK, topP, minP, repetitionPenalty } = flags
      // A person watches one text grow; several would mix.
      const streams = !flags.json && n === 1 && process.stdout.isTTY === true
      const answers = await model.answer(prompt, {
        maxNewTokens,
        sampling: { temperature, topK, topP, minP, repetitionPenalty },
        seed,
        stop,
        n,
        signal: interruptSignal(),
        ...(streams && { onText: (_, piece) => void process.stdout.write(piece) }),
      })
      if (flags.json) return printJson(asJson(prompt, answers))
      if (streams) return print('')
      await print(answers.map(answer => answer.text).join('\n\n'))
    })
}

async function promptIds(model: LanguageModel, { prompt, chat }: Flags): Promise<Int32Array> {
  const [ids] = await model.encode([chat ? [{ role: 'user', content: prompt }] : prompt])
  if (ids!.length > 0) return ids!
  if (chat) throw new EmendError('the chat template writes nothing, so there is no token to go on from')
  throw new EmendError(
    `--prompt: got ${JSON.stringify(prompt)}, of which the model's tokenizer makes no token to go on from; give some text`,
  )
}

/** One completion as it is, several as a list. */
function asJson(prompt: Int32Array, answers: readonly Answer[]) {
  const samples = answers.map(({ text, ids, logprobs, finish }) => ({
    text,
    tokens: Array.from(ids),
    logprobs: Array.from(logprobs),
    finish_reason: finish === 'length' ? 'length' : 'stop',
  }))
  const prompt_tokens = Array.from(prompt)
  if (samples.length > 1) return { prompt_tokens, samples }
  const { text, ...rest } = samples[0]!
  return { text, prompt_tokens, ...rest }
}
