/** Concierge: a hotel's desk answers its guests. A world small enough to learn in a minute, with a truth that can be checked. */

import type { World } from '../world.js'
import { LAZY_POLICIES } from './lazy.js'
import { type ConciergeOptions, DEFAULTS } from './options.js'
import { DEFECT_KINDS, judge } from './oracle.js'
import { choose, editReply } from './people.js'
import { Draws } from './random.js'
import { referenceReply } from './reference.js'
import { compose, render } from './reply.js'
import { drawStays, type Stay } from './stay.js'

export type { ConciergeOptions } from './options.js'
export { DEFAULTS } from './options.js'
export type { DefectKind } from './oracle.js'
export { DEFECT_KINDS } from './oracle.js'
export type { LabelAccuracy, Noise } from './people.js'
export { labelAccuracy } from './people.js'
export type { Split, Stay } from './stay.js'
export { SPLITS } from './stay.js'

/** Options to change; those within a group that are not named keep their defaults. */
export type ConciergeChanges = {
  readonly [K in keyof ConciergeOptions]?: ConciergeOptions[K] extends readonly unknown[] | number
    ? ConciergeOptions[K]
    : Partial<ConciergeOptions[K]>
}

/** A Concierge with other rates, weights or noise. */
export function conciergeWorld(changes: ConciergeChanges = {}): World {
  const o: ConciergeOptions = {
    topics: changes.topics ?? DEFAULTS.topics,
    asked: changes.asked ?? DEFAULTS.asked,
    rates: { ...DEFAULTS.rates, ...changes.rates },
    weights: { ...DEFAULTS.weights, ...changes.weights },
    reference: { ...DEFAULTS.reference, ...changes.reference },
    noise: { ...DEFAULTS.noise, ...changes.noise },
  }
  const weigh = (stay: Stay, text: string, ended: boolean) => judge(stay, text, ended, o.weights)
  const reference = (stay: Stay) => referenceReply(stay, o.reference, o.rates, o.weights)
  return {
    name: 'concierge',
    kinds: DEFECT_KINDS,
    stays: (split, seed, n) => drawStays(split, seed, n, o),
    demonstration: (stay, key) => render(compose(stay, o.rates, new Draws('demonstration', stay.prompt, key))),
    reference,
    judge: weigh,
    compare: (stay, response, ended) => {
      const ours = weigh(stay, response, ended).weighted
      const theirs = weigh(stay, reference(stay), true).weighted
      return ours < theirs ? 1 : ours === theirs ? 0.5 : 0
    },
    prefer: (stay, a, b, key) =>
      choose(
        weigh(stay, a.text, a.ended).weighted,
        weigh(stay, b.text, b.ended).weighted,
        o.noise.flip,
        new Draws('preference', stay.prompt, key),
      ),
    edit: (stay, draft, ended, key) => {
      const final = editReply(stay, draft, o.noise, o.rates, new Draws('edit', stay.prompt, key))
      const change = weigh(stay, final, true).weighted - weigh(stay, draft, ended).weighted
      return { final, right: change < 0 ? 'better' : change === 0 ? 'equal' : 'worse' }
    },
    withoutNoise: () => conciergeWorld({ ...o, noise: { flip: 0, miss: 0, touch: 0, harm: 0 } }),
    lazyPolicies: Object.fromEntries(
      Object.entries(LAZY_POLICIES).map(([name, policy]) => [
        name,
        (stay, key) => render(policy(stay, new Draws('lazy', name, stay.prompt, key))),
      ]),
    ),
  }
}

/** The benchmark's world, with every default. */
export const concierge: World = conciergeWorld()
