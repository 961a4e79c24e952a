/** What an embedded world is: prompts, simulated people and a judge that knows the truth. */

import type { DefectKind } from './concierge/oracle.js'
import type { Key } from './concierge/random.js'
import type { Split, Stay } from './concierge/stay.js'

/** What is wrong with a reply: counts by kind, and `weighted` = Σ weight · count. */
export interface Defects<Kind extends string = DefectKind> {
  readonly weighted: number
  readonly kinds: Readonly<Record<Kind, number>>
}

/** A reply as sampled: its text, and whether it ended by itself. */
export interface Reply {
  readonly text: string
  readonly ended: boolean
}

/** A benchmark with a known truth. Everything is a pure function of its arguments; `key` tells draws for one item apart. */
export interface World<Item extends { readonly prompt: string } = Stay, Kind extends string = DefectKind> {
  readonly name: string
  /** Every kind of defect, in the order of reports. */
  readonly kinds: readonly Kind[]
  /** Items of a split. Splits share no prompt; `validation` and `test` do not depend on the seed. */
  stays(split: Split, seed: number, n: number): Item[]
  /** A reply of mixed quality, to imitate. */
  demonstration(item: Item, key: Key): string
  /** The fixed, middling reply that policies are compared with. */
  reference(item: Item): string
  /** The oracle's count of defects. */
  judge(item: Item, response: string, ended: boolean): Defects<Kind>
  /** 1 if the response has fewer weighted defects than the reference, 0.5 if as many, 0 if more. */
  compare(item: Item, response: string, ended: boolean): 1 | 0.5 | 0
  /** A noisy preference; `right` is null where both are equally good. */
  prefer(item: Item, a: Reply, b: Reply, key: Key): { chosen: 'a' | 'b'; right: boolean | null }
  /** A noisy minimal edit. `final` counts as ended, and may equal the draft where the editor found nothing to change. */
  edit(item: Item, draft: string, ended: boolean, key: Key): { final: string; right: 'better' | 'equal' | 'worse' }
  /** The same world with people who never err: for reports on held-out pairs. */
  withoutNoise(): World<Item, Kind>
  /** Replies that look right and are not, by name. */
  readonly lazyPolicies: Readonly<Record<string, (item: Item, key: Key) => string>>
}
