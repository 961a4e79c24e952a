/** A policy's replies to held-out prompts, judged by the world: win rate, length, KL, defects by kind. */
import { responseLogprobs } from '../../algorithms/sft.js'
import { repeats } from '../../evaluation/repeats.js'
import { mean } from '../../evaluation/statistics.js'
import { type WinRate, winRate } from '../../evaluation/winrate.js'
import type { LanguageModel } from '../../language-model.js'
import type { Decoder } from '../../models/index.js'
import type { World } from '../world.js'

/** One judged reply. */
export interface Judged {
  readonly prompt: string
  readonly response: string
  readonly ended: boolean
  readonly tokens: number
  /** AlpacaEval's scale: 2 the reply wins, 1 the reference, 1.5 a draw. */
  readonly preference: number
  /** Σ k1 to the SFT model, in nats. */
  readonly kl: number
  readonly repeats: number
  readonly defects: Readonly<Record<string, number>>
  readonly weighted: number
}

/** Samples a reply to every prompt of `items` and judges it. */
export async function judgeReplies<Item extends { readonly prompt: string }, Kind extends string>(
  world: World<Item, Kind>,
  model: LanguageModel,
  reference: Decoder,
  items: readonly Item[],
  o: { seed: number; maxNewTokens: number; temperature: number; signal?: AbortSignal },
): Promise<Judged[]> {
  const replies = await model.generate(
    items.map(item => item.prompt),
    o,
  )
  const refLogprobs = responseLogprobs(
    reference,
    replies.map(reply => reply.promptIds),
    replies.map(reply => reply.ids),
    o.temperature,
  )
  return replies.map((reply, i) => {
    const item = items[i] as Item
    const { kinds, weighted } = world.judge(item, reply.text, reply.ended)
    return {
      prompt: item.prompt,
      response: reply.text,
      ended: reply.ended,
      tokens: reply.ids.length,
      preference: 1 + world.compare(item, reply.text, reply.ended),
      kl: reply.logprobs.reduce((sum, logprob, t) => sum + logprob - (refLogprobs[i]?.[t] as number), 0),
      repeats: repeats(reply.ids),
      defects: kinds,
      weighted,
    }
  })
}

export interface Evaluation extends WinRate {
  /** Mean length in tokens; `avg_length` is in characters. */
  readonly avg_tokens: number
  /** Mean nats per reply away from SFT. */
  readonly kl: number
  readonly repeats: number
  /** Mean weighted defects per reply. */
  readonly weighted_defects: number
  /** Mean count per reply, by kind. */
  readonly defects: Readonly<Record<string, number>>
  readonly fraction_ended: number
}

export function summarise(judged: readonly Judged[]): Evaluation {
  const kinds = Object.keys(judged[0]?.defects ?? {})
  return {
    ...winRate(
      judged.map(one => one.preference),
      judged.map(one => one.response),
    ),
    avg_tokens: mean(judged.map(one => one.tokens)),
    kl: mean(judged.map(one => one.kl)),
    repeats: mean(judged.map(one => one.repeats)),
    weighted_defects: mean(judged.map(one => one.weighted)),
    defects: Object.fromEntries(kinds.map(kind => [kind, mean(judged.map(one => one.defects[kind] as number))])),
    fraction_ended: mean(judged.map(one => Number(one.ended))),
  }
}
