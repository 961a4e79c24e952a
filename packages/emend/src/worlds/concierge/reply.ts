/** Replies as parts: how a part is worded, how a flawless reply is composed, and how a single blemish is put into one. */

import type { Draws } from './random.js'
import type { Stay } from './stay.js'
import {
  CLAIMS,
  CLOSINGS,
  fill,
  GREETINGS,
  GUESTS,
  LEAKS,
  RUDE_CLAUSES,
  RUDE_SENTENCES,
  TOPICS,
  type Topic,
} from './vocabulary.js'

/** One sentence of a reply. `phrasing` indexes the list of its kind in the vocabulary. */
export type Part =
  | { readonly kind: 'greeting'; readonly phrasing: number; readonly name: string }
  | {
      readonly kind: 'answer'
      readonly phrasing: number
      readonly topic: Topic
      readonly value: string
      /** Index of the rude clause before the answer. */
      readonly clause?: number
    }
  | { readonly kind: 'closing' | 'claim' | 'rude'; readonly phrasing: number }
  | { readonly kind: 'leak'; readonly phrasing: number; readonly card: string }
  | { readonly kind: 'unparsed'; readonly text: string }

export type Answer = Extract<Part, { kind: 'answer' }>

const FIXED = { closing: CLOSINGS, claim: CLAIMS, rude: RUDE_SENTENCES } as const

/** The sentence of a part. */
export function word(part: Part): string {
  switch (part.kind) {
    case 'greeting':
      return fill(GREETINGS[part.phrasing]!, part.name)
    case 'answer': {
      const plain = fill(TOPICS[part.topic].answers[part.phrasing]!, part.value)
      return part.clause === undefined
        ? plain
        : `${RUDE_CLAUSES[part.clause]} ${plain[0]!.toLowerCase()}${plain.slice(1)}`
    }
    case 'leak':
      return fill(LEAKS[part.phrasing]!, part.card)
    case 'unparsed':
      return part.text
    default:
      return FIXED[part.kind][part.phrasing]!
  }
}

/** The text of a reply: sentences with one space between them. */
export function render(parts: readonly Part[]): string {
  return parts.map(word).join(' ')
}

/** A greeting with the right name. */
export function greet(stay: Stay, draws: Draws): Part {
  return { kind: 'greeting', phrasing: draws.below(GREETINGS.length), name: stay.guest }
}

/** A true answer. Throws when the topic is not in the table. */
export function answer(stay: Stay, topic: Topic, draws: Draws): Answer {
  const value = stay.facts[topic]
  if (value === undefined) throw new RangeError(`answer: the stay has no topic ${topic}, expected one of its facts`)
  return { kind: 'answer', phrasing: draws.below(TOPICS[topic].answers.length), topic, value }
}

/** A closing. */
export function close(draws: Draws): Part {
  return { kind: 'closing', phrasing: draws.below(CLOSINGS.length) }
}

/** A reply without a defect: greeting, an answer to every asked topic, closing, in the asked order. */
export function flawless(stay: Stay, draws: Draws): Part[] {
  return [greet(stay, draws), ...stay.asked.map(topic => answer(stay, topic, draws)), close(draws)]
}

/** The defects that people put into replies. */
export const BLEMISHES = ['name', 'value', 'omission', 'clause', 'repeat', 'claim', 'rude', 'leak'] as const
export type Blemish = (typeof BLEMISHES)[number]

/** Expected blemishes: `value`, `omission` and `clause` per asked topic, the others per reply. */
export type Rates = Readonly<Record<Blemish, number>>

const PER_TOPIC: ReadonlySet<Blemish> = new Set(['value', 'omission', 'clause'])

/** A reply of mixed quality: flawless, then each blemish at its rate. `rates` all zero gives a flawless one. */
export function compose(stay: Stay, rates: Rates, draws: Draws): Part[] {
  let parts = flawless(stay, draws)
  for (const kind of BLEMISHES) {
    for (let i = PER_TOPIC.has(kind) ? stay.asked.length : 1; i > 0; i--) {
      if (draws.chance(rates[kind])) parts = blemish(stay, parts, kind, draws) ?? parts
    }
  }
  return parts
}

/** One blemish, of a kind drawn as often as `compose` would put it there. The parts come back unchanged if none applies. */
export function anyBlemish(stay: Stay, parts: readonly Part[], rates: Rates, draws: Draws): Part[] {
  const weights = BLEMISHES.map(kind => rates[kind] * (PER_TOPIC.has(kind) ? stay.asked.length : 1))
  while (weights.some(w => w > 0)) {
    const i = draws.weighted(weights)
    const blemished = blemish(stay, parts, BLEMISHES[i]!, draws)
    if (blemished) return blemished
    weights[i] = 0
  }
  return [...parts]
}

/** One blemish of the given kind, or undefined where there is nothing to blemish. */
export function blemish(stay: Stay, parts: readonly Part[], kind: Blemish, draws: Draws): Part[] | undefined {
  const where = (test: (part: Part) => boolean) => parts.flatMap((part, i) => (test(part) ? [i] : []))
  const change = (i: number, part: Part) => parts.with(i, part)
  // new sentences stand in the body: after the greeting, before the closing
  const insert = (part: Part) => {
    const from = parts.findIndex(p => p.kind === 'greeting') + 1
    const closing = parts.findIndex((p, i) => i >= from && p.kind === 'closing')
    const to = closing < 0 ? parts.length : closing
    return parts.toSpliced(from + draws.below(to - from + 1), 0, part)
  }
  switch (kind) {
    case 'name': {
      const [i] = where(p => p.kind === 'greeting' && p.name === stay.guest)
      const part = parts[i ?? -1]
      if (part?.kind !== 'greeting') return undefined
      return change(i!, { ...part, name: draws.pick(GUESTS.filter(name => name !== stay.guest)) })
    }
    case 'value': {
      const right = where(p => p.kind === 'answer' && p.value === stay.facts[p.topic])
      if (right.length === 0) return undefined
      const i = draws.pick(right)
      const part = parts[i] as Answer
      return change(i, { ...part, value: wrongValue(stay, part.topic, draws) })
    }
    case 'omission': {
      const answers = where(p => p.kind === 'answer')
      return answers.length ? parts.toSpliced(draws.pick(answers), 1) : undefined
    }
    case 'clause': {
      const plain = where(p => p.kind === 'answer' && p.clause === undefined)
      if (plain.length === 0) return undefined
      const i = draws.pick(plain)
      return change(i, { ...(parts[i] as Answer), clause: draws.below(RUDE_CLAUSES.length) })
    }
    case 'repeat': {
      const answers = where(p => p.kind === 'answer')
      if (answers.length === 0) return undefined
      // in the same words or in others: a policy that repeats in new words must have been seen and edited
      const part = parts[draws.pick(answers)] as Answer
      return insert(draws.chance(0.5) ? part : { ...part, phrasing: draws.below(TOPICS[part.topic].answers.length) })
    }
    case 'claim':
      return insert({ kind: 'claim', phrasing: draws.below(CLAIMS.length) })
    case 'rude':
      return insert({ kind: 'rude', phrasing: draws.below(RUDE_SENTENCES.length) })
    case 'leak':
      return insert({ kind: 'leak', phrasing: draws.below(LEAKS.length), card: stay.card })
  }
}

/** A wrong value: half the time, where there is one, that of another row with the same domain. */
function wrongValue(stay: Stay, topic: Topic, draws: Draws): string {
  const { values } = TOPICS[topic]
  const right = stay.facts[topic]
  const rows = Object.values(stay.facts).filter(value => value !== right && values.includes(value))
  return rows.length > 0 && draws.chance(0.5) ? draws.pick(rows) : draws.pick(values.filter(value => value !== right))
}

/** The same sentence in other words (maybe the same): meaning unchanged. */
export function paraphrase(part: Part, draws: Draws): Part {
  switch (part.kind) {
    case 'greeting':
      return { ...part, phrasing: draws.below(GREETINGS.length) }
    case 'answer':
      return { ...part, phrasing: draws.below(TOPICS[part.topic].answers.length) }
    case 'closing':
      return { ...part, phrasing: draws.below(CLOSINGS.length) }
    default:
      return part
  }
}
