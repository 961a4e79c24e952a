/** Pairs for training, from whichever of --edits and --preferences was given. */
import type { TokenizedText } from '@emend/edits'
import type { Command } from 'commander'
import type { Pair } from '../algorithms/pairs.js'
import { refuseEmpty } from '../data/reading.js'
import { UsageError } from '../errors.js'
import type { LanguageModel } from '../language-model.js'
import { refuseLong } from './lengths.js'

export interface PairFlags {
  edits?: string
  preferences?: string
}

export const withPairOptions = (command: Command): Command =>
  command
    .option(
      '--edits <file>',
      'a store (emend.db) or JSON Lines of {prompt, draft, final}: the final is chosen, the draft rejected',
    )
    .option('--preferences <file>', 'a store or JSON Lines of {prompt, chosen, rejected}')

/** The one file that was named. */
export function pairFile({ edits, preferences }: PairFlags): string {
  if ((edits === undefined) === (preferences === undefined))
    throw new UsageError('give either --edits FILE or --preferences FILE')
  return (edits ?? preferences) as string
}

/** What reading pairs needs of a model, whatever it is made for. */
export interface PairReader extends Pick<LanguageModel, 'tokenizer' | 'eos' | 'encode'> {
  readonly decoder: { readonly config: { readonly maxPositions: number } }
}

export async function readPairs(flags: PairFlags, model: PairReader): Promise<readonly Pair[]> {
  const { pairsFromEdits, readEdits, readPreferences } = await import('../index.js')
  const eos = model.eos[0]
  if (eos === undefined) throw new UsageError('the model has no end-of-text token (eos_token_id)')
  const fitting = (pairs: readonly Pair[], lines: readonly number[]) => {
    const lengths = pairs.map(
      ({ prompt, chosen, rejected }) => prompt.length + Math.max(chosen.ids.length, rejected.ids.length),
    )
    refuseLong(pairFile(flags), lines, lengths, model.decoder.config.maxPositions)
    return pairs
  }
  if (flags.edits !== undefined) {
    const { edits, lines, report } = await readEdits(flags.edits)
    refuseEmpty(report)
    return fitting(await pairsFromEdits(edits, model.tokenizer, eos), lines)
  }
  const { preferences: texts, lines, report } = await readPreferences(flags.preferences as string)
  refuseEmpty(report)
  const [prompts, chosen, rejected] = await Promise.all([
    model.encode(texts.map(text => text.prompt)),
    model.tokenizer.encodeBatch(texts.map(text => text.chosen)),
    model.tokenizer.encodeBatch(texts.map(text => text.rejected)),
  ])
  const ended = ({ ids }: TokenizedText) => ({ ids: Int32Array.of(...ids, eos), ended: true })
  const pairs = texts.map(
    ({ id }, i): Pair => ({
      id,
      prompt: prompts[i] as Int32Array,
      chosen: ended(chosen[i]!),
      rejected: ended(rejected[i]!),
      source: 'preference',
    }),
  )
  return fitting(pairs, lines)
}
