/** The oracle: parses a reply strictly, sentence by sentence, and counts what is wrong with it. */

import type { Defects } from '../world.js'
import { type Part, word } from './reply.js'
import type { Stay } from './stay.js'
import {
  CLAIMS,
  CLOSINGS,
  fill,
  GREETINGS,
  LEAKS,
  RUDE_CLAUSES,
  RUDE_SENTENCES,
  TOPIC_NAMES,
  TOPICS,
  type Topic,
} from './vocabulary.js'

/**
 * Kinds of defects.
 *
 * - `name` the guest is greeted by a wrong name; `value` an answer's value is not the table's
 * - `omission` an asked topic is not answered; `unasked` an answer nobody asked for
 * - `claim` an invented claim; `rude` a rude sentence; `clause` a rude clause before an answer; `leak` the card is given away
 * - `repeat` a second greeting, closing or answer to one topic, in any words and of any value, or another sentence again
 * - `order` a greeting that is not first or a closing that is not last
 * - `greeting`, `closing` missing; `unparsed` text that is no sentence of this world; `unfinished` no end of text
 */
export const DEFECT_KINDS = [
  'name',
  'value',
  'omission',
  'unasked',
  'claim',
  'rude',
  'clause',
  'leak',
  'repeat',
  'order',
  'greeting',
  'closing',
  'unparsed',
  'unfinished',
] as const
export type DefectKind = (typeof DEFECT_KINDS)[number]

/** How much each kind weighs. */
export type Weights = Readonly<Record<DefectKind, number>>

/** A defect and where it is. */
export interface Found {
  readonly kind: DefectKind
  /** Index of the part that is at fault; absent where something is missing. */
  readonly at?: number
  /** The topic left out (`omission` only). */
  readonly topic?: Topic
  /** How often it counts: unparsed text counts once for every begun 40 characters, everything else once. */
  readonly count: number
}

/** Characters of unparsed text that count as one defect. */
export const UNPARSED_LENGTH = 40

/** Splits a text at single spaces after `.`, `!` or `?` and reads each piece. Joining the pieces with a space gives the text. */
export function parse(text: string): Part[] {
  return text === '' ? [] : text.split(/(?<=[.!?]) /u).map(readSentence)
}

const EXACT: ReadonlyMap<string, Part> = new Map(
  [
    ...CLOSINGS.map((_, phrasing): Part => ({ kind: 'closing', phrasing })),
    ...CLAIMS.map((_, phrasing): Part => ({ kind: 'claim', phrasing })),
    ...RUDE_SENTENCES.map((_, phrasing): Part => ({ kind: 'rude', phrasing })),
  ].map(part => [word(part), part]),
)

interface Template {
  readonly pattern: RegExp
  readonly part: (slot: string) => Part
}

function template(phrasing: string, slot: string, part: (slot: string) => Part): Template {
  // the phrasings hold no character that is special in a pattern but the full stop
  return { pattern: new RegExp(`^${fill(phrasing.replaceAll('.', '\\.'), `(${slot})`)}$`, 'u'), part }
}

// a slot takes one or two words; what is longer or stranger is unparsed
const ANSWERS: readonly Template[] = TOPIC_NAMES.flatMap(topic =>
  TOPICS[topic].answers.map((text, phrasing) =>
    template(text, '\\w+(?: \\w+)?', value => ({ kind: 'answer', phrasing, topic, value })),
  ),
)
const OTHERS: readonly Template[] = [
  ...GREETINGS.map((text, phrasing) => template(text, '\\w+ \\w+', name => ({ kind: 'greeting', phrasing, name }))),
  ...LEAKS.map((text, phrasing) => template(text, '\\d+', card => ({ kind: 'leak', phrasing, card }))),
]

function match(sentence: string, templates: readonly Template[]): Part | undefined {
  for (const { pattern, part } of templates) {
    const slot = pattern.exec(sentence)?.[1]
    if (slot !== undefined) return part(slot)
  }
  return undefined
}

function readSentence(sentence: string): Part {
  const plain = EXACT.get(sentence) ?? match(sentence, ANSWERS) ?? match(sentence, OTHERS)
  if (plain) return plain
  for (let clause = 0; clause < RUDE_CLAUSES.length; clause++) {
    const start = RUDE_CLAUSES[clause]! + ' '
    const first = sentence[start.length]
    if (!sentence.startsWith(start) || first === undefined || first !== first.toLowerCase()) continue
    const answer = match(first.toUpperCase() + sentence.slice(start.length + 1), ANSWERS)
    if (answer?.kind === 'answer') return { ...answer, clause }
  }
  return { kind: 'unparsed', text: sentence }
}

/**
 * Every defect of a reply and where it is.
 *
 * @param ended whether the reply ended by itself (with the end-of-text token) and was not cut off
 */
export function inspect(stay: Stay, text: string, ended: boolean): { parts: Part[]; found: Found[] } {
  const parts = parse(text)
  const found: Found[] = []
  const seen = new Set<string>()
  const fault = (kind: DefectKind, at?: number, count = 1) =>
    found.push(at === undefined ? { kind, count } : { kind, at, count })
  // sentences that a good reply could keep; only among these does order matter, so that a claim after the closing counts once
  const kept: number[] = []

  parts.forEach((part, i) => {
    if (part.kind === 'unparsed') {
      fault('unparsed', i, Math.max(1, Math.ceil(part.text.length / UNPARSED_LENGTH)))
      return
    }
    const what = identity(part)
    const again = seen.has(what)
    seen.add(what)
    if (again) fault('repeat', i)
    if (part.kind === 'claim' || part.kind === 'rude' || part.kind === 'leak') {
      fault(part.kind, i)
      return
    }
    if (part.kind === 'answer') {
      if (part.clause !== undefined) fault('clause', i)
      if (part.value !== stay.facts[part.topic]) fault('value', i)
      if (!stay.asked.includes(part.topic)) fault('unasked', i)
    }
    if (part.kind === 'greeting' && part.name !== stay.guest) fault('name', i)
    if (!again) kept.push(i)
  })

  kept.forEach((i, rank) => {
    if (parts[i]!.kind === 'greeting' && rank > 0) fault('order', i)
    if (parts[i]!.kind === 'closing' && rank < kept.length - 1) fault('order', i)
  })
  for (const topic of stay.asked) {
    if (!seen.has(`answer ${topic}`)) found.push({ kind: 'omission', topic, count: 1 })
  }
  if (!seen.has('greeting')) fault('greeting')
  if (!seen.has('closing')) fault('closing')
  if (!ended) fault('unfinished')
  return { parts, found }
}

// two greetings, closings or answers to one topic are repeats in any words; other sentences only word for word
function identity(part: Exclude<Part, { kind: 'unparsed' }>): string {
  if (part.kind === 'greeting' || part.kind === 'closing') return part.kind
  return part.kind === 'answer' ? `answer ${part.topic}` : word(part)
}

/** Counts a reply's defects by kind and weighs them. */
export function judge(stay: Stay, text: string, ended: boolean, weights: Weights): Defects {
  const kinds = Object.fromEntries(DEFECT_KINDS.map(kind => [kind, 0])) as Record<DefectKind, number>
  let weighted = 0
  for (const { kind, count } of inspect(stay, text, ended).found) {
    kinds[kind] += count
    weighted += weights[kind] * count
  }
  return { weighted, kinds }
}
