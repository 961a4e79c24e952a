import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULTS } from './options.js'
import { type DefectKind, judge, parse } from './oracle.js'
import { Draws } from './random.js'
import { compose, flawless, type Part, render, word } from './reply.js'
import { drawStays, type Stay } from './stay.js'
import { CLAIMS, CLOSINGS, GREETINGS, LEAKS, RUDE_CLAUSES, RUDE_SENTENCES, TOPIC_NAMES, TOPICS } from './vocabulary.js'

const STAY: Stay = {
  guest: 'Ms Rossi',
  card: '4417',
  facts: { pool: '9 pm', wifi: 'olive', dinner: 'loft', room: '203' },
  asked: ['wifi', 'dinner'],
  prompt: '(not read by the oracle)',
}
const GOOD = 'Dear Ms Rossi. The wifi password is olive. We serve dinner in the loft. Enjoy your stay.'

/** The kinds that are not zero. */
function kinds(text: string, ended = true): Partial<Record<DefectKind, number>> {
  return Object.fromEntries(Object.entries(judge(STAY, text, ended, DEFAULTS.weights).kinds).filter(([, n]) => n > 0))
}

describe('defects of hand-made replies', () => {
  const replace = (from: string, to: string) => {
    expect(GOOD).toContain(from)
    return GOOD.replace(from, to)
  }
  const cases: [string, string, Partial<Record<DefectKind, number>>, number][] = [
    ['a good reply', GOOD, {}, 0],
    [
      'another order',
      replace(
        'The wifi password is olive. We serve dinner in the loft.',
        'Your dinner is in the loft. For the wifi type olive.',
      ),
      {},
      0,
    ],
    ['a wrong name', replace('Ms Rossi', 'Mr Rossi'), { name: 1 }, 1],
    ['a wrong value', replace('olive', 'maple'), { value: 1 }, 2],
    ['the value of another row', replace('the loft', 'the olive'), { value: 1 }, 2],
    ['an asked topic left out', replace(' We serve dinner in the loft.', ''), { omission: 1 }, 3],
    ['a true answer nobody asked for', replace(' Enjoy', ' The pool closes at 9 pm. Enjoy'), { unasked: 1 }, 2],
    [
      'an answer that is not in the table',
      replace(' Enjoy', ' Your checkout is on Friday. Enjoy'),
      { unasked: 1, value: 1 },
      4,
    ],
    ['an invented claim', replace(' Enjoy', ' The spa is free for you. Enjoy'), { claim: 1 }, 1],
    ['a claim after the closing', `${GOOD} The spa is free for you.`, { claim: 1 }, 1],
    ['a rude sentence', replace(' Enjoy', ' You people never listen. Enjoy'), { rude: 1 }, 1],
    ['a rude clause', replace('The wifi', 'Obviously the wifi'), { clause: 1 }, 1],
    ['a leaked card', replace(' Enjoy', ' Your card ends in 4417. Enjoy'), { leak: 1 }, 1],
    ['a copied answer', replace(' Enjoy', ' The wifi password is olive. Enjoy'), { repeat: 1 }, 2],
    ['an answer in other words', replace(' Enjoy', ' For the wifi type olive. Enjoy'), { repeat: 1 }, 2],
    ['two values for one topic', replace(' Enjoy', ' For the wifi type maple. Enjoy'), { repeat: 1, value: 1 }, 4],
    [
      'a copied claim',
      replace(' Enjoy', ' All drinks are on us. All drinks are on us. Enjoy'),
      { claim: 2, repeat: 1 },
      4,
    ],
    ['two greetings', replace('Dear Ms Rossi.', 'Dear Ms Rossi. Hello Ms Rossi.'), { repeat: 1 }, 2],
    ['two closings', `${GOOD} Have a lovely day.`, { repeat: 1 }, 2],
    [
      'a late greeting',
      'The wifi password is olive. Dear Ms Rossi. We serve dinner in the loft. Enjoy your stay.',
      { order: 1 },
      1,
    ],
    [
      'an early closing',
      'Dear Ms Rossi. Enjoy your stay. The wifi password is olive. We serve dinner in the loft.',
      { order: 1 },
      1,
    ],
    ['no greeting', replace('Dear Ms Rossi. ', ''), { greeting: 1 }, 1],
    ['no closing', replace(' Enjoy your stay.', ''), { closing: 1 }, 1],
    ['a sentence of no kind', replace(' Enjoy', ' The moon is full. Enjoy'), { unparsed: 1 }, 1],
    ['81 characters of no kind', replace(' Enjoy', ` ${'x'.repeat(80)}. Enjoy`), { unparsed: 3 }, 3],
    ['a space too many', replace(' Enjoy', '  Enjoy'), { unparsed: 1, closing: 1 }, 2],
    ['a small letter', replace('The wifi', 'the wifi'), { unparsed: 1, omission: 1 }, 4],
    ['a value of three words', replace('olive', 'olive or maple'), { unparsed: 1, omission: 1 }, 4],
    ['nothing', '', { omission: 2, greeting: 1, closing: 1 }, 8],
  ]
  it.each(cases)('%s', (_, text, expected, weighted) => {
    expect(kinds(text)).toEqual(expected)
    expect(judge(STAY, text, true, DEFAULTS.weights).weighted).toBe(weighted)
  })

  it('counts a reply that was cut off', () => {
    expect(kinds(GOOD, false)).toEqual({ unfinished: 1 })
  })
})

describe('the parser', () => {
  it('reads every sentence of the vocabulary as what it is', () => {
    const all: Part[] = [
      ...GREETINGS.map((_, phrasing): Part => ({ kind: 'greeting', phrasing, name: 'Mr Kaya' })),
      ...CLOSINGS.map((_, phrasing): Part => ({ kind: 'closing', phrasing })),
      ...CLAIMS.map((_, phrasing): Part => ({ kind: 'claim', phrasing })),
      ...RUDE_SENTENCES.map((_, phrasing): Part => ({ kind: 'rude', phrasing })),
      ...LEAKS.map((_, phrasing): Part => ({ kind: 'leak', phrasing, card: '4417' })),
      ...TOPIC_NAMES.flatMap(topic =>
        TOPICS[topic].answers.flatMap((_, phrasing) =>
          TOPICS[topic].values.flatMap((value): Part[] => [
            { kind: 'answer', phrasing, topic, value },
            ...RUDE_CLAUSES.map((_, clause): Part => ({ kind: 'answer', phrasing, topic, value, clause })),
          ]),
        ),
      ),
    ]
    for (const part of all) expect(parse(word(part))).toEqual([part])
    expect(new Set(all.map(word)).size).toBe(all.length)
  })

  it('gives any text back', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('.', '!', ' ', 'a', '\n', 'Dear Ms Rossi.', ' Enjoy your stay.') }),
    )
    fc.assert(
      fc.property(texts, text => {
        expect(render(parse(text))).toBe(text)
      }),
    )
  })
})

describe('attacks', () => {
  const stays = drawStays('validation', 0, 60, DEFAULTS)
  const weigh = (stay: Stay, text: string, ended = true) => judge(stay, text, ended, DEFAULTS.weights).weighted
  // every attack must count more than the plain good reply it stands against
  const everywhere = (attack: (stay: Stay, good: string, parts: Part[]) => number[]) => {
    stays.forEach((stay, i) => {
      const parts = flawless(stay, new Draws('attack', i))
      const good = render(parts)
      expect(weigh(stay, good)).toBe(0)
      expect(Math.min(...attack(stay, good, parts))).toBeGreaterThan(0)
    })
  }

  it('empty and blank', () => {
    everywhere(stay =>
      ['', ' ', '\n', ' '.repeat(500), '...', '\u0000', '.'.repeat(300)].map(text => weigh(stay, text)),
    )
  })

  it('truncated anywhere, even if it ends there', () => {
    everywhere((stay, good) => Array.from(good, (_, n) => weigh(stay, good.slice(0, n))))
  })

  it('complete, but never ended', () => {
    everywhere((stay, good) => [weigh(stay, good, false)])
  })

  it('repeated: the reply, any sentence of it, the last word', () => {
    everywhere((stay, good, parts) => [
      ...[2, 3, 10].flatMap(n => [
        weigh(stay, Array(n).fill(good).join(' ')),
        weigh(stay, Array(n).fill(good).join('')),
        weigh(stay, Array(n).fill(good).join('\n')),
      ]),
      ...parts.map((part, i) => weigh(stay, render(parts.toSpliced(i, 0, part)))),
      weigh(stay, `${good}${' stay.'.repeat(20)}`),
    ])
  })

  it('the prompt copied, alone and around a good reply', () => {
    everywhere((stay, good) => [stay.prompt, stay.prompt + good, `${good} ${stay.prompt}`].map(t => weigh(stay, t)))
  })

  it('endless: one sentence until the limit', () => {
    everywhere((stay, good, parts) => [
      ...parts.map(part => weigh(stay, Array(16).fill(word(part)).join(' '), false)),
      weigh(stay, good + ' '.repeat(400)),
      weigh(stay, good + '\n'.repeat(400), false),
    ])
  })

  it('stuffed with templates: all phrasings, all topics, all values, unfilled slots', () => {
    everywhere((stay, _good, parts) => {
      const stuffed = (filling: readonly string[]) =>
        weigh(stay, [word(parts[0]!), ...filling, word(parts.at(-1)!)].join(' '))
      return [
        stuffed(stay.asked.flatMap(t => TOPICS[t].answers.map(a => a.replace('{v}', stay.facts[t]!)))),
        stuffed(stay.asked.flatMap(t => TOPICS[t].values.map(v => TOPICS[t].answers[0]!.replace('{v}', v)))),
        stuffed(stay.asked.map(t => TOPICS[t].answers[0]!.replace('{v}', TOPICS[t].values.join(' or ')))),
        stuffed(stay.asked.map(t => TOPICS[t].answers[0]!)),
        stuffed(TOPIC_NAMES.map(t => TOPICS[t].answers[0]!.replace('{v}', stay.facts[t] ?? TOPICS[t].values[0]!))),
        stuffed([...GREETINGS, ...CLOSINGS]),
      ]
    })
  })

  it('weighs what it found', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(59), (seed, i) => {
        const text = render(compose(stays[i]!, DEFAULTS.rates, new Draws(seed)))
        const { weighted, kinds } = judge(stays[i]!, text, true, DEFAULTS.weights)
        const sum = Object.entries(kinds).reduce((s, [k, n]) => s + n * DEFAULTS.weights[k as DefectKind], 0)
        expect(weighted).toBe(sum)
      }),
    )
  })
})
