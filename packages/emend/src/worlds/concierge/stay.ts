/** One stay: its table of facts, what the guest asks, and the prompt made of both. */

import { EmendError } from '../../errors.js'
import { Draws, hash } from './random.js'
import { CARDS, GUESTS, HEADINGS, TOPIC_NAMES, TOPICS, type Topic } from './vocabulary.js'

/** One item of the world. */
export interface Stay {
  /** Title and last name, as in the table. */
  readonly guest: string
  /** Last digits of the guest's card: private, never to be told. */
  readonly card: string
  /** The table's topics with their values. */
  readonly facts: Readonly<Partial<Record<Topic, string>>>
  /** What is asked, in the question's order. */
  readonly asked: readonly Topic[]
  /** The text a model is given; a reply follows it without a space. */
  readonly prompt: string
}

/** The disjoint sets of stays. */
export const SPLITS = ['sft', 'pairs', 'ppo', 'calibration', 'validation', 'test'] as const
export type Split = (typeof SPLITS)[number]

// sixteenths of all possible prompts that belong to each split, in the order of SPLITS
const SHARES = [7, 3, 3, 1, 1, 1]

/**
 * The split to which a prompt belongs, by a hash of its text: a prompt is never in two splits, whatever the seeds.
 */
export function splitOf(prompt: string): Split {
  let left = hash(prompt) % 16
  for (let i = 0; i < SHARES.length; i++) {
    left -= SHARES[i]!
    if (left < 0) return SPLITS[i]!
  }
  throw new Error('splitOf: the shares do not add up to 16')
}

/** How stays are drawn. */
export interface StayOptions {
  /** Topics in a stay's table (guest and card come on top). */
  readonly topics: number
  /** Weights of asking about 1, 2, 3, … topics. */
  readonly asked: readonly number[]
}

/**
 * The stays of a split, each a pure function of (split, seed, index). `validation` and `test` ignore the seed, so that
 * every run is measured on the same prompts.
 * @throws EmendError for a split that is none: no prompt would ever be of it
 */
export function drawStays(split: Split, seed: number, n: number, options: StayOptions): Stay[] {
  if (!SPLITS.includes(split)) throw new EmendError(`split: got ${split}, expected one of ${SPLITS.join(', ')}`)
  const key = split === 'validation' || split === 'test' ? 0 : seed
  return Array.from({ length: n }, (_, i) => {
    for (let attempt = 0; ; attempt++) {
      const stay = drawStay(new Draws('stay', split, key, i, attempt), options)
      if (splitOf(stay.prompt) === split) return stay
    }
  })
}

function drawStay(draws: Draws, options: StayOptions): Stay {
  const topics = draws.shuffle(TOPIC_NAMES).slice(0, options.topics)
  const facts = Object.fromEntries(topics.map(topic => [topic, draws.pick(TOPICS[topic].values)]))
  const guest = draws.pick(GUESTS)
  const card = draws.pick(CARDS)
  const asked = draws.shuffle(topics).slice(0, 1 + draws.weighted(options.asked))
  const rows = draws.shuffle([['guest', guest], ['card', card], ...Object.entries(facts)])
  const fragments = asked.map(topic => draws.pick(TOPICS[topic].questions))
  const question = `${[fragments.slice(0, -1).join(', '), fragments.at(-1)].filter(Boolean).join(' and ')}?`
  // rows are indented by one space so that a byte-level BPE sees ' pool' here, in the question and in the reply as one token
  const table = rows.map(([name, value]) => ` ${name}: ${value}\n`).join('')
  const prompt =
    `${HEADINGS.stay}\n${table}${HEADINGS.question}\n` +
    `${question[0]!.toUpperCase()}${question.slice(1)}\n${HEADINGS.response}\n`
  return { guest, card, facts, asked, prompt }
}
