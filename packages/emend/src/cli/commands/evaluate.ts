/** `emend evaluate`: a win rate, of a policy judged by a world or of judgements on file. */
import { Command } from 'commander'
import { UsageError } from '../../errors.js'
import { interruptSignal } from '../../pipeline/interrupt.js'
import { type CommonOptions, positiveNumber, withCommonOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'
import { deviceOption } from '../training.js'

interface Flags extends CommonOptions {
  annotations?: string
  model?: string
  world?: string
  n: number
  maxNewTokens: number
}

export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .helpGroup(groups.models)
    .description('win rate and its standard error, with the statistics of AlpacaEval')
    .option('--annotations <file>', 'judgements on file, as AlpacaEval writes them')
    .option('--model <dir>', 'a policy, judged by --world on its test prompts')
    .option('--world <name>', 'the embedded world that judges: concierge')
    .option('--n <n>', 'how many test prompts', positiveNumber, 805)
    .option('--max-new-tokens <n>', 'longest reply', positiveNumber, 64)
  return withCommonOptions(command, 'seed', 'device')
    .addHelpText(
      'after',
      examples(
        ['emend evaluate --annotations annotations.json', 'statistics of existing judgements'],
        ['emend evaluate --model runs/demo-1/arm-fg-ppo/model --world concierge', 'a policy in the embedded world'],
      ),
    )
    .action(async (flags: Flags) => {
      const { formatWinRate, winRate } = await import('../../evaluation/winrate.js')
      const result = flags.annotations !== undefined ? await ofAnnotations(flags.annotations) : await ofModel(flags)
      const row = winRate(result.preferences, result.outputs)
      if (flags.json) return printJson(row)
      await print(formatWinRate(row))
    })
}

async function ofAnnotations(file: string) {
  const { readAnnotations } = await import('../../evaluation/annotations.js')
  const annotations = await readAnnotations(file)
  return {
    preferences: annotations.map(annotation => annotation.preference),
    outputs: annotations.map(annotation => annotation.output_2),
  }
}

async function ofModel({ model: folder, world: name, n, maxNewTokens, seed = 1, ...flags }: Flags) {
  if (folder === undefined) throw new UsageError('give --annotations FILE, or --model DIR with --world concierge')
  if (name !== 'concierge') throw new UsageError(`--world: got ${name ?? 'nothing'}, expected concierge`)
  const [{ concierge }, { LanguageModel }] = await Promise.all([
    import('../../worlds/concierge/index.js'),
    import('../../index.js'),
  ])
  const model = await LanguageModel.load(folder, deviceOption(flags))
  const stays = concierge.stays('test', seed, n)
  const replies = await model.generate(
    stays.map(stay => stay.prompt),
    { seed, maxNewTokens, signal: interruptSignal() },
  )
  return {
    preferences: replies.map((reply, i) => 1 + concierge.compare(stays[i]!, reply.text, reply.ended)),
    outputs: replies.map(reply => reply.text),
  }
}
