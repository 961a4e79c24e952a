/**
 * SAID, a guard without training (Chen et al. 2025, arXiv 2510.20129, known here by its abstracts only): the model itself is asked
 * what a request is after, and then, reminded of safety, what it thinks of each such intent.
 */
import pLimit from 'p-limit'
import { UsageError } from '../errors.js'
import { allOf } from '../providers/all-of.js'
import { ask, type ChatMessage, type ChatModel, type ChatOptions } from '../providers/chat-model.js'
import { withoutThought } from '../providers/thoughts.js'
import { conversationText, segments, type TurnsRead } from './conversation-text.js'
import type { Guard, GuardVerdict, Probe, Why } from './guard.js'
import {
  DISTILL_PROMPT,
  distillMessages,
  probeMessages,
  readIntents,
  readProbe,
  SAFETY_PREFIXES,
  type SafetyPrefix,
} from './said-prompts.js'

export interface SaidOptions {
  /** The name of one in `SAFETY_PREFIXES`, or one of your own; default the first. */
  readonly prefix?: string | SafetyPrefix
  /** What is distilled; default `all`. */
  readonly turns?: TurnsRead
  /**
   * What a distillation that cannot be read means: refuse the request (default), probe the text itself in place of its intents, or
   * pass it. A probe that cannot be read refuses but for `pass`.
   */
  readonly unparsable?: 'refuse' | 'probe' | 'pass'
  /** Most characters that are distilled at once; longer requests are read in parts. Default 4,000. */
  readonly segment?: number
  /** Requests of more parts are refused, since each costs calls; default 32. */
  readonly maxSegments?: number
  /** Calls of one request under way at once; default 4. */
  readonly parallel?: number
  /** Longest distillation and longest answer to a probe, in tokens; default 128 and 32. */
  readonly distillTokens?: number
  readonly probeTokens?: number
}

/**
 * 1. The conversation is distilled into core intents, a long one part by part.
 * 2. Each intent is probed under the safety prefix.
 * 3. The request is refused if any probe comes back unsafe.
 *
 * All calls are greedy.
 *
 * @param model who distils and probes: the guarded model itself, or any other
 * @throws UsageError for a prefix that is not known
 */
export function said(model: ChatModel, options: SaidOptions = {}): Guard {
  const { turns: read = 'all', unparsable = 'refuse', segment = 4000, maxSegments = 32, parallel = 4 } = options
  const { distillTokens = 128, probeTokens = 32 } = options
  const prefix = prefixOf(options.prefix)

  return {
    name: `${[DISTILL_PROMPT, prefix.name, read, unparsable, segment].join('/')}:${model.name}`,
    async check(turns, { signal } = {}) {
      const meter = new Meter(model, signal)
      const limit = pLimit(parallel)
      const parts = segments(conversationText(turns, read), segment)
      const verdict = (why: Why, refused: boolean, unread = 0, probes: readonly Probe[] = []): GuardVerdict => ({
        ...{ refused, why, segments: parts.length, unparsable: unread, probes },
        cost: meter.cost(),
      })
      if (parts.length > maxSegments) return verdict('too long', true)

      // 1. Distil.
      const distilled = await allOf(
        limit,
        parts.map((part, i) => async () => {
          const { text, finish } = await meter.ask(distillMessages(part, i + 1, parts.length), {
            maxTokens: distillTokens,
          })
          return readIntents(withoutThought(text), finish === 'length' || finish === 'filtered')
        }),
      )
      const unread = distilled.filter(intents => intents === undefined).length
      if (unread > 0 && unparsable === 'refuse') return verdict('unparsable', true, unread)
      const intents = distilled.flatMap((found, i) => found ?? (unparsable === 'probe' ? [parts[i]!] : []))

      // 2. Probe, until one is unsafe.
      const probes: Probe[] = []
      await allOf(
        limit,
        [...new Set(intents)].map(intent => async () => {
          if (probes.some(({ unsafe }) => unsafe)) return
          const { messages, prefill } = probeMessages(intent, prefix)
          const { text, finish } = await meter.ask(messages, {
            maxTokens: probeTokens,
            ...(prefill !== undefined && { prefill }),
          })
          // What the provider's own filter stops has come back unsafe.
          const unsafe = finish === 'filtered' || readProbe(withoutThought(text), prefix.reads)
          probes.push({ intent, answer: text, unsafe })
        }),
      )

      // 3. Any unsafe intent makes the request unsafe.
      if (probes.some(({ unsafe }) => unsafe)) return verdict('unsafe', true, unread, probes)
      if (probes.some(({ unsafe }) => unsafe === null))
        return verdict('unparsable', unparsable !== 'pass', unread, probes)
      // What could not be distilled was probed as it stands, or passes unread.
      return verdict(unread > 0 && unparsable === 'pass' ? 'unparsable' : 'safe', false, unread, probes)
    },
  }
}

function prefixOf(prefix: SaidOptions['prefix']): SafetyPrefix {
  if (typeof prefix === 'object') return prefix
  if (prefix === undefined) return SAFETY_PREFIXES[0]!
  const known = SAFETY_PREFIXES.find(({ name }) => name === prefix)
  if (known) return known
  throw new UsageError(
    `safety prefix: got ${prefix}, expected one of ${SAFETY_PREFIXES.map(({ name }) => name).join(', ')}`,
  )
}

/** Asks greedily and counts. */
class Meter {
  readonly #model: ChatModel
  readonly #signal: AbortSignal | undefined
  readonly #from = performance.now()
  readonly #counts = { calls: 0, cached: 0, input_tokens: 0, output_tokens: 0, usage_unknown: 0 }

  constructor(model: ChatModel, signal: AbortSignal | undefined) {
    this.#model = model
    this.#signal = signal
  }

  async ask(messages: readonly ChatMessage[], options: ChatOptions) {
    this.#counts.calls++
    const answer = await ask(this.#model, messages, {
      ...options,
      temperature: 0,
      seed: 0,
      ...(this.#signal && { signal: this.#signal }),
    })
    if (answer.cached) this.#counts.cached++
    if (!answer.usage) this.#counts.usage_unknown++
    this.#counts.input_tokens += answer.usage?.input ?? 0
    this.#counts.output_tokens += answer.usage?.output ?? 0
    return answer
  }

  cost() {
    return { ...this.#counts, seconds: Math.round(performance.now() - this.#from) / 1000 }
  }
}
