/** What a run would ask and cost, without asking: a dry run. */
import type { Store } from '../data/store/store.js'
import { JUDGEMENT_TOKENS } from '../evaluation/judges/forecast.js'
import { judgeMessages } from '../evaluation/judges/llm.js'
import type { Caller } from '../providers/caller.js'
import type { ChatMessage } from '../providers/chat-model.js'
import { aboutTokens, costOf, mostTokens, NANO, type Prices } from '../providers/price.js'
import { editorMessages } from './editor-prompt.js'
import { notAsked } from './llm.js'
import { draftOf, openItems } from './queue.js'

/** Calls and tokens of the first ask of each item, and of its judge's; money in the currency of the prices. */
export interface Forecast {
  readonly items: number
  /** Empty drafts, and those that no answer can hold: nothing is asked. */
  readonly not_asked: number
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

/**
 * @param asks how often an item may be asked: 1, and once for each time it may be asked again
 * @param judged whether a judge compares each edit with its draft, in both orders
 */
export async function forecast(
  store: Store,
  caller: Caller,
  o: {
    readonly prices?: Prices
    readonly maxTokens: number
    readonly asks: number
    readonly judged?: boolean
    readonly limit?: number
    readonly temperature: number
    readonly seed?: number
  },
): Promise<Forecast> {
  const how = { maxTokens: o.maxTokens, temperature: o.temperature, ...(o.seed !== undefined && { seed: o.seed }) }
  const found = { items: 0, not_asked: 0, calls: 0, cached: 0 }
  const about = { input: 0, output: 0 }
  let worst = 0
  const add = (messages: readonly ChatMessage[], output: number, more = 0) => {
    found.calls++
    about.input += aboutTokens(messages)
    about.output += output
    worst += costOf({ input: mostTokens(messages) + more, output: o.maxTokens }, o.prices)
  }
  for await (const item of openItems(store, caller.name)) {
    if (found.items === o.limit) break
    found.items++
    const draft = item.response
    if (notAsked(draft, o.maxTokens)) {
      found.not_asked++
      continue
    }
    const messages = editorMessages(draftOf(item))
    if (caller.has(messages, how)) found.cached++
    else add(messages, aboutTokens([{ role: 'assistant', content: draft }]))
    // Each further ask repeats the first, the answer to it (a token may be many bytes, so count them as given back) and the
    // complaint. An item with a first answer on disk is open since that could not be used, or may be asked for more.
    const again = { input: mostTokens(messages) + o.maxTokens * 4 + 400, output: o.maxTokens }
    worst += (o.asks - 1) * costOf(again, o.prices)
    if (!o.judged) continue
    // Nobody knows the edit yet: it is about as long as its draft, and at worst as long as an answer may be.
    for (let order = 0; order < 2; order++)
      add(judgeMessages({ prompt: item.prompt, a: draft, b: draft }), JUDGEMENT_TOKENS, o.maxTokens * 4)
  }
  const { items, not_asked, calls, cached } = found
  return {
    ...{ items, not_asked, calls, cached, input_tokens: about.input, output_tokens: about.output },
    ...(o.prices && { cost: costOf(about, o.prices) / NANO, worst_cost: worst / NANO }),
  }
}
