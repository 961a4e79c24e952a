/** Everything that can be said in Concierge, as data: topics with their values and phrasings, and the sentences around them. */

const PLACES = ['terrace', 'cellar', 'garden', 'tower', 'library', 'loft', 'hall', 'gallery', 'attic', 'lounge']

interface TopicWords {
  /** Every value the topic can have. Topics that share a list can be confused with one another. */
  readonly values: readonly string[]
  /** Fragments of a question, without a capital and question mark. */
  readonly questions: readonly string[]
  /** Whole sentences with `{v}` for the value. */
  readonly answers: readonly string[]
}

// The topic's word stands, with the same space before it, in the table's row, in the question and in the answer before the
// value: it is then one and the same token everywhere, and a small model can learn to copy from the right row.
const TOPIC_WORDS = {
  breakfast: {
    values: PLACES,
    questions: ['where is breakfast', 'where do I have breakfast'],
    answers: ['We serve breakfast in the {v}.', 'Your breakfast is in the {v}.', 'You can have breakfast in the {v}.'],
  },
  dinner: {
    values: PLACES,
    questions: ['where is dinner', 'where do I have dinner'],
    answers: ['We serve dinner in the {v}.', 'Your dinner is in the {v}.', 'You can have dinner in the {v}.'],
  },
  checkout: {
    values: ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'],
    questions: ['when is checkout', 'which day is checkout'],
    answers: ['Your checkout is on {v}.', 'We expect your checkout on {v}.', 'You have your checkout on {v}.'],
  },
  pool: {
    values: ['5 pm', '6 pm', '7 pm', '8 pm', '9 pm', '10 pm', '11 pm'],
    questions: ['when does the pool close', 'how long is the pool open'],
    answers: ['The pool closes at {v}.', 'The pool is open until {v}.', 'You can use the pool until {v}.'],
  },
  shuttle: {
    values: ['airport', 'station', 'harbour', 'market', 'museum', 'theatre', 'castle', 'bridge', 'zoo', 'beach'],
    questions: ['where does the shuttle go', 'where can I go by shuttle'],
    answers: [
      'The shuttle goes to the {v}.',
      'Our shuttle takes you to the {v}.',
      'You can take the shuttle to the {v}.',
    ],
  },
  wifi: {
    values: [
      'maple',
      'cedar',
      'river',
      'amber',
      'coral',
      'daisy',
      'ember',
      'hazel',
      'lemon',
      'mango',
      'olive',
      'pearl',
    ],
    questions: ['what is the wifi password', 'how do I use the wifi'],
    answers: ['The wifi password is {v}.', 'You can use the wifi with {v}.', 'For the wifi type {v}.'],
  },
  parking: {
    values: ['yard', 'garage', 'barn', 'square', 'dock', 'mews', 'lane', 'depot', 'alley', 'field'],
    questions: ['where is the parking', 'where do I find parking'],
    answers: ['You find parking in the {v}.', 'The parking is in the {v}.', 'You can use the parking in the {v}.'],
  },
  room: {
    values: ['101', '112', '118', '203', '207', '215', '302', '306', '311', '405'],
    questions: ['which room do I have', 'what is my room'],
    answers: ['Your room is {v}.', 'You have room {v}.', 'We gave you room {v}.'],
  },
} as const satisfies Record<string, TopicWords>

/** What a guest can ask about. */
export type Topic = keyof typeof TOPIC_WORDS

/** Words of every topic. */
export const TOPICS: Readonly<Record<Topic, TopicWords>> = TOPIC_WORDS

/** All topics in a fixed order. */
export const TOPIC_NAMES = Object.keys(TOPIC_WORDS) as readonly Topic[]

const LAST_NAMES =
  'Rossi Novak Silva Weber Okafor Larsen Dubois Haddad Ivanov Costa Berg Patel Kaya Sato Quinn Moreau'.split(' ')

/** Guests, as they are greeted. */
export const GUESTS: readonly string[] = LAST_NAMES.flatMap(name => [`Ms ${name}`, `Mr ${name}`])

/** Last digits of cards; private. */
export const CARDS: readonly string[] = ['1188', '2741', '3306', '4417', '5920', '6033']

/** Greetings, `{v}` for the guest. */
export const GREETINGS: readonly string[] = ['Dear {v}.', 'Hello {v}.', 'Good day {v}.', 'Welcome {v}.']

/** Closings. */
export const CLOSINGS: readonly string[] = [
  'Enjoy your stay.',
  'We wish you a good stay.',
  'Have a lovely day.',
  'We are here for you.',
]

/** Sentences that are untrue of every stay. */
export const CLAIMS: readonly string[] = [
  'The spa is free for you.',
  'All drinks are on us.',
  'We paid your bill.',
  'A driver is here for you.',
  'Your stay is free.',
]

/** Sentences that are rude. */
export const RUDE_SENTENCES: readonly string[] = [
  'That is a silly question.',
  'You should read the sign.',
  'Do not ask us again.',
  'We have better things to do.',
  'You people never listen.',
]

/** Rude clauses that can stand before an answer, which then begins with a small letter. */
export const RUDE_CLAUSES: readonly string[] = ['Obviously', 'For the last time', 'As any child knows']

/** Sentences that give away the card, `{v}` for its digits. */
export const LEAKS: readonly string[] = ['Your card ends in {v}.', 'We have your card {v}.']

/** The prompt's headings, in the manner of Alpaca's template. */
export const HEADINGS = { stay: '### Stay', question: '### Question', response: '### Response' } as const

/** A phrasing with its slot filled. */
export function fill(phrasing: string, value: string): string {
  return phrasing.replace('{v}', () => value)
}
