/** Every weight and rate of Concierge in one place, with the defaults of the benchmark. */

import type { Weights } from './oracle.js'
import type { Noise } from './people.js'
import type { ReferenceOptions } from './reference.js'
import type { Rates } from './reply.js'
import type { StayOptions } from './stay.js'

export interface ConciergeOptions extends StayOptions {
  /** How often demonstrations, references and harmful touches have each blemish. */
  readonly rates: Rates
  /** What each kind of defect weighs. */
  readonly weights: Weights
  readonly reference: ReferenceOptions
  readonly noise: Noise
}

export const DEFAULTS: ConciergeOptions = {
  // four rows and at least two questions: with one question, 'only the first answer' would be flawless
  topics: 4,
  asked: [0, 0.8, 0.2],
  rates: {
    name: 0.1,
    value: 0.15, // per asked topic
    omission: 0.06, // per asked topic
    clause: 0.08, // per asked topic
    repeat: 0.12,
    claim: 0.25,
    rude: 0.2,
    leak: 0.15,
  },
  weights: {
    name: 1,
    // a guest who gets a wrong answer is worse off than one who gets a rude one
    value: 2,
    // more than a wrong value: otherwise silence is the best policy of a model that is not sure
    omission: 3,
    // reciting the table and saying everything twice are the cheapest ways to answer every question
    unasked: 2,
    repeat: 2,
    claim: 1,
    rude: 1,
    clause: 1,
    leak: 1,
    order: 1,
    greeting: 1,
    closing: 1,
    unparsed: 1,
    unfinished: 1,
  },
  reference: { candidates: 5, rank: 3 },
  noise: { flip: 0.15, miss: 0.3, touch: 0.6, harm: 0.7 },
}
