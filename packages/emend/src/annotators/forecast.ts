/** What a run would ask and cost, without asking: a dry run. */
import type { Store } from '../data/store/store.js'
import type { Caller } from '../providers/caller.js'
import { aboutTokens, costOf, mostTokens, NANO, type Prices } from '../providers/price.js'
import { editorMessages } from './editor-prompt.js'
import { draftOf, openItems } from './queue.js'

/** Calls and tokens of the first ask of each item; money in the currency of the prices. */
export interface Forecast {
  readonly items: number
  /** To be asked, and answered before. */
  readonly calls: number
  readonly cached: number
  /** Estimates: four bytes a token, an answer as long as its draft. */
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cost?: number
  /** If every answer were as long as allowed, every byte a token, and every item asked as often as allowed. */
  readonly worst_cost?: number
}

/** @param asks how often an item may be asked: 1, and once for each time it may be asked again */
export async function forecast(
  store: Store,
  caller: Caller,
  o: {
    readonly prices?: Prices
    readonly maxTokens: number
    readonly asks: number
    readonly limit?: number
    readonly temperature: number
    readonly seed?: number
  },
): Promise<Forecast> {
  let items = 0
  let cached = 0
  const about = { input: 0, output: 0 }
  let worst = 0
  for await (const item of openItems(store, caller.name)) {
    if (items === o.limit) break
    items++
    const messages = editorMessages(draftOf(item))
    if (
      caller.has(messages, {
        maxTokens: o.maxTokens,
        temperature: o.temperature,
        ...(o.seed !== undefined && { seed: o.seed }),
      })
    ) {
      cached++
      continue
    }
    about.input += aboutTokens(messages)
    about.output += aboutTokens([{ role: 'assistant', content: item.response }])
    // Each further ask repeats the one before, its answer (a token may be many bytes, so count them as given back) and the complaint.
    for (let ask = 0; ask < o.asks; ask++)
      worst += costOf(
        { input: mostTokens(messages) + (ask > 0 ? o.maxTokens * 4 + 400 : 0), output: o.maxTokens },
        o.prices,
      )
  }
  return {
    items,
    calls: items - cached,
    cached,
    input_tokens: about.input,
    output_tokens: about.output,
    ...(o.prices && { cost: costOf(about, o.prices) / NANO, worst_cost: worst / NANO }),
  }
}
