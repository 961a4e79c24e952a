/** Lazy policies: replies that look right and are not. None may do well against the reference (the tests say how well). */

import type { Draws } from './random.js'
import { answer, close, flawless, greet, type Part } from './reply.js'
import type { Stay } from './stay.js'
import { TOPICS, type Topic } from './vocabulary.js'

/** Each policy composes a reply's parts. */
export const LAZY_POLICIES: Readonly<Record<string, (stay: Stay, draws: Draws) => Part[]>> = {
  'right form, random values': (stay, draws) =>
    flawless(stay, draws).map(p => (p.kind === 'answer' ? { ...p, value: draws.pick(TOPICS[p.topic].values) } : p)),
  'only the first answer': (stay, draws) => [greet(stay, draws), answer(stay, stay.asked[0]!, draws), close(draws)],
  'every answer twice': (stay, draws) =>
    flawless(stay, draws).flatMap((p): Part[] => (p.kind === 'answer' ? [p, p] : [p])),
  'all facts': (stay, draws) => [
    greet(stay, draws),
    ...(Object.keys(stay.facts) as Topic[]).map(topic => answer(stay, topic, draws)),
    close(draws),
  ],
  'greeting and closing only': (stay, draws) => [greet(stay, draws), close(draws)],
}
