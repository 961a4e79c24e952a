/** `emend score`: what a reward model thinks of every token of a response. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { EmendError, UsageError } from '../../errors.js'
import { heatLine } from '../../evaluation/reports/terminal.js'
import { type CommonOptions, withCommonOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'

interface Flags extends CommonOptions {
  reward: string
  tokenizer?: string
  prompt: string
  response: string
  eos: boolean
  colour: boolean
}

export function scoreCommand(): Command {
  const command = new Command('score')
    .helpGroup(groups.models)
    .description('rewards of every token of a response, as a heat map or as JSON')
    .requiredOption('--reward <dir>', 'a reward model, as `emend reward` writes it (OUT/model)')
    .requiredOption('--prompt <text>', 'the prompt')
    .requiredOption('--response <text>', 'the response')
    .option('--tokenizer <path>', 'tokenizer.json, where the reward model has none beside it')
    .option('--no-eos', 'the response was cut off: score it without its end')
    .option('--no-colour', 'print the numbers instead of colours')
  return withCommonOptions(command, 'device', 'threads')
    .addHelpText(
      'after',
      examples(["emend score --reward runs/reward/model --prompt 'Q:' --response 'A.'", 'a heat map']),
    )
    .action(async (flags: Flags) => {
      if (flags.response === '' && !flags.eos)
        throw new UsageError('nothing to score: --response is empty and --no-eos leaves out its end; give one of them')
      const [{ loadReward }, { encodePrompts }] = await Promise.all([
        import('../evaluation/reward.js'),
        import('../../text/index.js'),
      ])
      const { reward, tokenizer } = await loadReward(flags)
      const prompts = await encodePrompts(tokenizer, [flags.prompt])
      if (prompts[0]!.length === 0) {
        const got = JSON.stringify(flags.prompt)
        throw new UsageError(
          `--prompt: got ${got}, of which the tokenizer makes no token to read behind; give some text`,
        )
      }
      const response = await tokenizer.encode(flags.response)
      const [eos] = flags.eos ? reward.scalar.config.eos : []
      if (eos === undefined && response.ids.length === 0)
        throw new EmendError(
          `${flags.reward}: nothing to score: the response is empty and the model has no end-of-text token`,
        )
      const ids = eos === undefined ? response.ids : Int32Array.of(...response.ids, eos)
      const [read] = reward.readAll(prompts, [ids])
      const end = response.text.length
      const tokens = Array.from(ids, (id, i) => {
        const [start, stop] = response.cover[i] ?? [end, end]
        const text = i < response.ids.length ? response.text.slice(response.tile[i], response.tile[i + 1]) : ''
        return { id, start, end: stop, text, reward: read?.token[i] as number }
      })
      const total = read?.sequence as number
      if (flags.json) return printJson({ tokens, total })
      const how = reward.objective.kind === 'token' ? 'the mean over tokens' : 'read at the last token'
      const heat = heatLine(tokens, flags.colour ? {} : { colours: 'none' })
      await print(`${heat}\ntotal ${total.toFixed(4)} (${reward.objective.kind}: ${how})`)
    })
}

/** The tokenizer in the reward model's folder, in the one above, or where a run of the demo keeps it for all its models. */
export function tokenizerBeside(folder: string): string {
  const places = ['.', '..', '../../tokenizer'].map(place => join(folder, place, 'tokenizer.json'))
  const found = places.find(place => existsSync(place))
  if (!found) throw new EmendError(`${folder} has no tokenizer.json beside it; name one with --tokenizer`)
  return found
}
