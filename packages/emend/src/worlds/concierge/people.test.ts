import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { conciergeWorld, labelAccuracy } from './index.js'
import { DEFAULTS } from './options.js'
import { type DefectKind, judge } from './oracle.js'
import { choose } from './people.js'
import { Draws } from './random.js'
import { compose, render } from './reply.js'
import { drawStays, type Stay } from './stay.js'

const careful = conciergeWorld({ noise: { flip: 0, miss: 0, touch: 0 } })
const STAY: Stay = {
  guest: 'Ms Rossi',
  card: '4417',
  facts: { pool: '9 pm', wifi: 'olive', dinner: 'loft', room: '203' },
  asked: ['wifi', 'dinner'],
  prompt: 'a stay made by hand',
}
const edited = (draft: string, key = 0) => careful.edit(STAY, draft, true, key).final
const weigh = (stay: Stay, text: string) => judge(stay, text, true, DEFAULTS.weights)

describe('a careful edit', () => {
  const cases: [string, string, string][] = [
    [
      'leaves a good reply alone',
      'Dear Ms Rossi. The wifi password is olive. We serve dinner in the loft. Enjoy your stay.',
      'Dear Ms Rossi. The wifi password is olive. We serve dinner in the loft. Enjoy your stay.',
    ],
    [
      'replaces a wrong name and a wrong value, and nothing else',
      'Dear Mr Sato. The wifi password is maple. We serve dinner in the loft. Enjoy your stay.',
      'Dear Ms Rossi. The wifi password is olive. We serve dinner in the loft. Enjoy your stay.',
    ],
    [
      'deletes a rude clause, a rude sentence, a claim and a leak',
      'Dear Ms Rossi. Obviously the wifi password is olive. You people never listen. We serve dinner in the loft. Your card ends in 4417. Enjoy your stay. The spa is free for you.',
      'Dear Ms Rossi. The wifi password is olive. We serve dinner in the loft. Enjoy your stay.',
    ],
    [
      'deletes what is repeated or was not asked',
      'Dear Ms Rossi. The wifi password is olive. The pool closes at 9 pm. For the wifi type maple. We serve dinner in the loft. Enjoy your stay.',
      'Dear Ms Rossi. The wifi password is olive. We serve dinner in the loft. Enjoy your stay.',
    ],
    [
      'moves a late greeting and an early closing',
      'Enjoy your stay. The wifi password is olive. We serve dinner in the loft. Dear Ms Rossi.',
      'Dear Ms Rossi. The wifi password is olive. We serve dinner in the loft. Enjoy your stay.',
    ],
    [
      'mends a broken sentence where its words allow it',
      'Dear Ms Rossi. The wifi password is is olive. We serve dinner in in loft. Enjoy your stay.',
      'Dear Ms Rossi. The wifi password is olive. We serve dinner in the loft. Enjoy your stay.',
    ],
    [
      'deletes a broken sentence that means nothing',
      'Dear Ms Rossi. The wifi password is olive. Card again free question. We serve dinner in the loft. Enjoy your stay.',
      'Dear Ms Rossi. The wifi password is olive. We serve dinner in the loft. Enjoy your stay.',
    ],
  ]
  it.each(cases)('%s', (_, draft, final) => {
    expect(edited(draft)).toBe(final)
  })

  it('inserts an answer that was left out, in any of its phrasings, and keeps the rest', () => {
    const finals = new Set(
      Array.from({ length: 60 }, (_, key) =>
        edited('Dear Ms Rossi. The wifi password is olive. Enjoy your stay.', key),
      ),
    )
    expect([...finals].sort()).toEqual([
      'Dear Ms Rossi. The wifi password is olive. We serve dinner in the loft. Enjoy your stay.',
      'Dear Ms Rossi. The wifi password is olive. You can have dinner in the loft. Enjoy your stay.',
      'Dear Ms Rossi. The wifi password is olive. Your dinner is in the loft. Enjoy your stay.',
    ])
  })

  it('completes a draft that was cut off: its words stay', () => {
    const draft = 'Dear Ms Rossi. The wifi password is olive. We serve dinn'
    for (let key = 0; key < 20; key++) {
      const { final, right } = careful.edit(STAY, draft, false, key)
      expect(final.startsWith('Dear Ms Rossi. The wifi password is olive. We serve dinner in the loft. ')).toBe(true)
      expect(weigh(STAY, final).weighted).toBe(0)
      expect(right).toBe('better')
    }
  })
})

const stays = drawStays('pairs', 1, 300, DEFAULTS)
// drafts of mixed quality and worse than that: doubled rates, then cut, shuffled or with words lost
const drafts = fc.record({ i: fc.nat(299), seed: fc.nat(), damage: fc.constantFrom('none', 'cut', 'shuffle', 'words') })
function draftOf(stay: Stay, seed: number, damage: string): string {
  const draws = new Draws('draft', seed)
  const rates = Object.fromEntries(Object.entries(DEFAULTS.rates).map(([k, p]) => [k, 2 * p])) as typeof DEFAULTS.rates
  const parts = compose(stay, rates, draws)
  const text = render(parts)
  if (damage === 'cut') return text.slice(0, draws.below(text.length))
  if (damage === 'shuffle') return render(draws.shuffle(parts))
  if (damage === 'words')
    return text
      .split(' ')
      .filter(() => !draws.chance(0.15))
      .join(' ')
  return text
}

describe('edits of any draft', () => {
  it('leave no defect when the editor misses nothing', () => {
    fc.assert(
      fc.property(drafts, ({ i, seed, damage }) => {
        const stay = stays[i]!
        const draft = draftOf(stay, seed, damage)
        const { final, right } = careful.edit(stay, draft, damage !== 'cut', seed)
        expect(weigh(stay, final)).toMatchObject({ weighted: 0 })
        const before = judge(stay, draft, damage !== 'cut', DEFAULTS.weights).weighted
        expect(right).toBe(before > 0 ? 'better' : 'equal')
        if (before === 0) expect(final).toBe(draft)
      }),
      { numRuns: 1_000 },
    )
  })

  it('are minimal: deleted and inserted characters are bounded by the defects', () => {
    // longest sentence 43 characters, value 9, name 10, clause 18; a move deletes and inserts a sentence
    const bound: Readonly<Record<DefectKind, number>> = {
      name: 20,
      value: 18,
      omission: 50,
      unasked: 70,
      claim: 50,
      rude: 50,
      clause: 21,
      leak: 50,
      repeat: 70,
      order: 70,
      greeting: 25,
      closing: 27,
      unparsed: 80,
      unfinished: 0,
    }
    fc.assert(
      fc.property(drafts, ({ i, seed, damage }) => {
        const stay = stays[i]!
        const draft = draftOf(stay, seed, damage)
        const { kinds } = weigh(stay, draft)
        const allowed = Object.entries(kinds).reduce((s, [kind, n]) => s + n * bound[kind as DefectKind], 0)
        expect(distance(draft, careful.edit(stay, draft, true, seed).final)).toBeLessThanOrEqual(allowed)
      }),
      { numRuns: 300 },
    )
  })
})

/** Deleted and inserted characters of a shortest edit script (dynamic programming on the longest common subsequence). */
function distance(a: string, b: string): number {
  let row = new Uint16Array(b.length + 1)
  for (const c of a) {
    const next = new Uint16Array(b.length + 1)
    for (let j = 0; j < b.length; j++) next[j + 1] = c === b[j] ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!)
    row = next
  }
  return a.length + b.length - 2 * row[b.length]!
}

describe('noise', () => {
  it('turns preferences round at the stated rate and calls a tie a tie', () => {
    const n = 20_000
    const choices = Array.from({ length: n }, (_, i) => choose(1, 2, 0.25, new Draws('flip', i)))
    const wrong = choices.filter(c => c.right === false).length
    // standard deviation 61
    expect(Math.abs(wrong - n * 0.25)).toBeLessThan(250)
    expect(choices.every(c => c.right === (c.chosen === 'a'))).toBe(true)
    const ties = Array.from({ length: n }, (_, i) => choose(2, 2, 0.25, new Draws('tie', i)))
    expect(ties.every(c => c.right === null)).toBe(true)
    expect(Math.abs(ties.filter(c => c.chosen === 'a').length - n / 2)).toBeLessThan(290)
  })

  it('misses defects at the stated rate', () => {
    const blind = conciergeWorld({ noise: { miss: 0.4, touch: 0 } })
    const draft = 'Dear Ms Rossi. The wifi password is maple. We serve dinner in the loft. Enjoy your stay.'
    const left = Array.from({ length: 4_000 }, (_, key) => blind.edit(STAY, draft, true, key).final).filter(
      f => f === draft,
    )
    // 1,600 expected, standard deviation 31
    expect(Math.abs(left.length - 1_600)).toBeLessThan(130)
  })

  it('is unsystematic: what touches harm is spread like what demonstrations have wrong', () => {
    const meddler = conciergeWorld({ noise: { miss: 0, touch: 1, harm: 1 } })
    const demo: Record<string, number> = {}
    const harm: Record<string, number> = {}
    const count = (into: Record<string, number>, stay: Stay, text: string) => {
      for (const [kind, n] of Object.entries(weigh(stay, text).kinds)) into[kind] = (into[kind] ?? 0) + n
    }
    const many = drawStays('pairs', 2, 4_000, DEFAULTS)
    for (const stay of many) {
      const draft = meddler.demonstration(stay, 0)
      count(demo, stay, draft)
      count(harm, stay, meddler.edit(stay, draft, true, 0).final)
    }
    const total = (counts: Record<string, number>) => Object.values(counts).reduce((s, n) => s + n, 0)
    for (const kind of Object.keys(demo)) {
      expect(Math.abs(harm[kind]! / total(harm) - demo[kind]! / total(demo)), kind).toBeLessThan(0.04)
    }
    expect(harm['closing']! + harm['greeting']! + harm['unparsed']!).toBe(0)
  })
})

describe('labelAccuracy', () => {
  it('counts an undecided label half', () => {
    const { n, right, undecided, wrong, accuracy } = labelAccuracy([true, true, null, false].map(right => ({ right })))
    expect([n, right, undecided, wrong, accuracy]).toEqual([4, 0.5, 0.25, 0.25, 0.625])
    expect(labelAccuracy([{ right: 'better' }, { right: 'equal' }]).accuracy).toBe(0.75)
    expect(labelAccuracy([]).accuracy).toBe(0)
  })
})
