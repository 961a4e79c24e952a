/** What judging would ask and cost, without asking: a dry run. */

import type { Caller } from '../../providers/caller.js'
import { aboutTokens, costOf, mostTokens, NANO, type Prices } from '../../providers/price.js'
import type { OutputPair } from '../outputs.js'
import { judgeMessages, judgeRequest, type LlmJudgeOptions } from './llm.js'
import { isSwapped } from './orders.js'

/** Money in the currency of the prices. */
export interface JudgingForecast {
  readonly games: number
  /** Equal outputs: nothing is asked. */
  readonly identical: number
  /** To be asked, and answered before. */
  readonly calls: number
  readonly cached: number
  /** Estimates: four bytes a token, an answer of four tokens. */
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cost?: number
  /** If every answer were as long as allowed and every byte a token; without the attempts that fail. */
  readonly worst_cost?: number
}

/** "Better: A" */
export const JUDGEMENT_TOKENS = 4

/** @param order asked in both orders, or in the one drawn by this seed */
export function forecastJudging(
  pairs: readonly OutputPair[],
  caller: Caller,
  o: LlmJudgeOptions & { readonly maxTokens: number; readonly order: 'both' | number; readonly prices?: Prices },
): JudgingForecast {
  const found = { games: pairs.length, identical: 0, calls: 0, cached: 0, input_tokens: 0, output_tokens: 0 }
  let worst = 0
  for (const { instruction: prompt, reference, model } of pairs) {
    const [a, b] = [reference.output, model.output]
    if (a === b) {
      found.identical++
      continue
    }
    const orders = o.order === 'both' ? [false, true] : [isSwapped({ prompt }, o.order)]
    for (const swapped of orders) {
      const messages = judgeMessages(swapped ? { prompt, a: b, b: a } : { prompt, a, b })
      if (caller.has(messages, judgeRequest(o))) {
        found.cached++
        continue
      }
      found.calls++
      found.input_tokens += aboutTokens(messages)
      found.output_tokens += JUDGEMENT_TOKENS
      worst += costOf({ input: mostTokens(messages), output: o.maxTokens }, o.prices)
    }
  }
  const about = costOf({ input: found.input_tokens, output: found.output_tokens }, o.prices)
  return { ...found, ...(o.prices && { cost: about / NANO, worst_cost: worst / NANO }) }
}
