/** People, simulated: noisy preferences, and minimal edits by an editor who misses some defects and sometimes touches what was fine. */

import { type Found, inspect } from './oracle.js'
import type { Draws } from './random.js'
import { answer, anyBlemish, close, greet, type Part, paraphrase, type Rates, render, word } from './reply.js'
import type { Stay } from './stay.js'
import { TOPICS } from './vocabulary.js'

/** How noisy people are. */
export interface Noise {
  /** Probability that a preference is turned round. */
  readonly flip: number
  /** Probability, for each defect, that the editor leaves it. */
  readonly miss: number
  /** Probability that the editor touches something that was fine. */
  readonly touch: number
  /** Probability that a touch does harm; otherwise it only says the same in other words. */
  readonly harm: number
}

/** A person's choice between two replies by their weighted defects: fewer wins, a tie is a coin, then it may be turned round. */
export function choose(a: number, b: number, flip: number, draws: Draws): { chosen: 'a' | 'b'; right: boolean | null } {
  const coin = draws.chance(0.5)
  const flipped = draws.chance(flip)
  if (a === b) return { chosen: coin ? 'a' : 'b', right: null }
  return { chosen: a < b !== flipped ? 'a' : 'b', right: !flipped }
}

/**
 * A person's edit of a draft. Each defect is mended where it stands and nothing else is changed: a wrong value or name is
 * replaced, a rude clause or a superfluous sentence deleted, what is missing inserted, a broken sentence completed or deleted.
 *
 * A harmful touch puts in one blemish, of a kind drawn as often as demonstrations have it: noise that is spread like the
 * signal, so that it weakens what is learnt and does not point anywhere.
 *
 * @param rates proportions of the harmful touches
 * @returns the final text; it counts as ended
 */
export function editReply(stay: Stay, draft: string, noise: Noise, rates: Rates, draws: Draws): string {
  // the end of text is no character: a draft that was cut off is mended by completing its words
  const { parts, found } = inspect(stay, draft, true)
  let final = mend(
    stay,
    parts,
    found.filter(() => !draws.chance(noise.miss)),
    draws,
  )
  if (draws.chance(noise.touch)) {
    if (draws.chance(noise.harm)) final = anyBlemish(stay, final, rates, draws)
    else if (final.length > 0) {
      const i = draws.below(final.length)
      final = final.with(i, paraphrase(final[i]!, draws))
    }
  }
  return render(final)
}

function mend(stay: Stay, parts: readonly Part[], seen: readonly Found[], draws: Draws): Part[] {
  const kindsAt = (i: number) => new Set(seen.filter(f => f.at === i).map(f => f.kind))
  const open = new Set(stay.asked.filter(topic => !parts.some(p => p.kind === 'answer' && p.topic === topic)))
  const out: Part[] = []
  let front: Part | undefined
  let back: Part | undefined

  parts.forEach((part, i) => {
    const faults = kindsAt(i)
    if (part.kind === 'unparsed') {
      const mended = faults.has('unparsed') ? complete(part.text, candidates(stay, parts, i, open, draws)) : part
      if (mended?.kind === 'answer') open.delete(mended.topic)
      if (mended) out.push(mended)
      return
    }
    if (['claim', 'rude', 'leak', 'repeat', 'unasked'].some(kind => faults.has(kind as Found['kind']))) return
    if (part.kind === 'greeting') {
      const mended = faults.has('name') ? { ...part, name: stay.guest } : part
      if (faults.has('order')) front = mended
      else out.push(mended)
    } else if (part.kind === 'answer') {
      const value = stay.facts[part.topic]
      if (faults.has('value') && value === undefined) return
      const { clause, ...plain } = part
      const mended = clause === undefined || faults.has('clause') ? plain : part
      out.push(faults.has('value') ? { ...mended, value: value! } : mended)
    } else if (faults.has('order')) back = part
    else out.push(part)
  })

  for (const { kind, topic } of seen) {
    if (kind === 'greeting' && !out.some(p => p.kind === 'greeting')) front = greet(stay, draws)
    if (kind === 'closing' && !out.some(p => p.kind === 'closing')) back = close(draws)
    if (kind === 'omission' && topic && open.has(topic)) {
      const last = out.findLastIndex(p => p.kind === 'answer')
      const after = last >= 0 ? last : out.findIndex(p => p.kind === 'greeting')
      out.splice(after + 1, 0, answer(stay, topic, draws))
    }
  }
  return [...(front ? [front] : []), ...out, ...(back ? [back] : [])]
}

/** What an unparsed sentence at `i` may have been meant to be: something still missing that may stand there. */
function candidates(
  stay: Stay,
  parts: readonly Part[],
  i: number,
  open: ReadonlySet<keyof typeof TOPICS>,
  draws: Draws,
): Part[] {
  const greeting = parts.findIndex(p => p.kind === 'greeting')
  const closing = parts.findIndex(p => p.kind === 'closing')
  const inBody = greeting < i && (closing < 0 || closing > i)
  const out: Part[] = inBody
    ? [...open].flatMap(topic => {
        const any = answer(stay, topic, draws)
        return TOPICS[topic].answers.map((_, phrasing) => ({ ...any, phrasing }))
      })
    : []
  if (greeting < 0 && i === 0) out.push(greet(stay, draws))
  if (closing < 0 && i === parts.length - 1) out.push(close(draws))
  return out
}

/** The candidate that shares most with the broken text, if at least half of the text can stay; otherwise undefined. */
function complete(broken: string, meant: readonly Part[]): Part | undefined {
  let best: Part | undefined
  let most = broken.length / 2
  for (const part of meant) {
    const shared = sharedEnds(broken, word(part))
    if (shared > most) {
      best = part
      most = shared
    }
  }
  return best
}

/** Characters of `a` that stay if `a` becomes `b` by one replacement: common prefix and, beyond it, common suffix. */
function sharedEnds(a: string, b: string): number {
  const n = Math.min(a.length, b.length)
  let head = 0
  while (head < n && a[head] === b[head]) head++
  let tail = 0
  while (tail < n - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++
  return head + tail
}

/** Shares of right, undecided and wrong labels, and `accuracy` = right + half of the undecided. */
export interface LabelAccuracy {
  readonly n: number
  readonly right: number
  readonly undecided: number
  readonly wrong: number
  readonly accuracy: number
}

/**
 * How good labels are, in one measure for both kinds, so that preferences and edits can be compared: a preference is right
 * when the better reply was chosen and undecided when both were equal; an edit is right when the final text is better than
 * the draft and undecided when it is as good.
 */
export function labelAccuracy(
  labels: readonly { readonly right: boolean | null | 'better' | 'equal' | 'worse' }[],
): LabelAccuracy {
  const n = labels.length
  const share = (...what: readonly (boolean | null | string)[]) =>
    n === 0 ? 0 : labels.filter(label => what.includes(label.right)).length / n
  const right = share(true, 'better')
  const undecided = share(null, 'equal')
  return { n, right, undecided, wrong: share(false, 'worse'), accuracy: right + undecided / 2 }
}
