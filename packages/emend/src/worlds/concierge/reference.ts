/** The fixed replies that every policy is compared with: of several demonstrations for the stay, one of middling rank. */

import { judge, type Weights } from './oracle.js'
import { Draws } from './random.js'
import { compose, type Rates, render } from './reply.js'
import type { Stay } from './stay.js'

/** Which demonstration is the reference. */
export interface ReferenceOptions {
  /** Demonstrations composed for a stay. */
  readonly candidates: number
  /** Which of them, from the best (1) on, is the reference. Choosing by rank keeps references close to one quality. */
  readonly rank: number
}

/** The reference's text, a pure function of the stay's prompt. */
export function referenceReply(stay: Stay, options: ReferenceOptions, rates: Rates, weights: Weights): string {
  const replies = Array.from({ length: options.candidates }, (_, i) => {
    const text = render(compose(stay, rates, new Draws('reference', stay.prompt, i)))
    return { text, weighted: judge(stay, text, true, weights).weighted }
  })
  // a stable sort: equals stay in the order in which they were drawn
  return replies.sort((a, b) => a.weighted - b.weighted)[options.rank - 1]!.text
}
