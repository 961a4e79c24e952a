import { describe, expect, it } from 'vitest'
import { concierge, conciergeWorld, DEFECT_KINDS, labelAccuracy } from './index.js'
import { DEFAULTS } from './options.js'

const test = concierge.stays('test', 0, 805)
const zero = Object.fromEntries(Object.keys(DEFAULTS.rates).map(kind => [kind, 0]))
const flawless = conciergeWorld({ rates: zero })
const mean = (values: readonly number[]) => values.reduce((s, v) => s + v, 0) / values.length
const winRate = (reply: (stay: (typeof test)[number]) => string, ended = true) =>
  100 * mean(test.map(stay => concierge.compare(stay, reply(stay), ended)))

describe('Concierge on its 805 test prompts', () => {
  it('is a pure function of its arguments', () => {
    const again = conciergeWorld()
    for (const stay of test.slice(0, 50)) {
      expect(again.demonstration(stay, 7)).toBe(concierge.demonstration(stay, 7))
      expect(again.reference(stay)).toBe(concierge.reference(stay))
      const draft = concierge.demonstration(stay, 1)
      expect(again.edit(stay, draft, true, 2)).toEqual(concierge.edit(stay, draft, true, 2))
    }
    const some = test.slice(0, 50)
    expect(some.filter(s => concierge.demonstration(s, 0) === concierge.demonstration(s, 1)).length).toBeLessThan(10)
  })

  it('composes flawless replies at rate zero, which win at least 90 %', () => {
    for (const stay of test) {
      expect(concierge.judge(stay, flawless.demonstration(stay, 0), true).weighted).toBe(0)
    }
    expect(winRate(stay => flawless.demonstration(stay, 0))).toBeGreaterThan(90)
  })

  it('has demonstrations about as good as its references', () => {
    const win = winRate(stay => concierge.demonstration(stay, 0))
    expect(win).toBeGreaterThan(42)
    expect(win).toBeLessThan(52)
  })

  it('has demonstrations with defects at the stated rates', () => {
    const counts = test.map(stay => concierge.judge(stay, concierge.demonstration(stay, 0), true).kinds)
    const asked = mean(test.map(stay => stay.asked.length))
    for (const kind of ['name', 'rude', 'leak', 'omission', 'clause'] as const) {
      const rate = DEFAULTS.rates[kind] * (kind === 'omission' || kind === 'clause' ? asked : 1)
      // four standard deviations of a count over 805 replies, roughly
      expect(Math.abs(mean(counts.map(c => c[kind])) - rate), kind).toBeLessThan(4 * Math.sqrt(rate / 805) + 0.02)
    }
  })

  it('lets no lazy policy win more than 40 %', () => {
    const rows = Object.entries(concierge.lazyPolicies).map(([name, policy]) => ({
      name,
      win: winRate(stay => policy(stay, 0)),
      defects: mean(test.map(stay => concierge.judge(stay, policy(stay, 0), true).weighted)),
    }))
    expect(rows).toHaveLength(5)
    // the table of docs/worlds.md
    console.log(
      rows.map(r => `${r.name}: win ${r.win.toFixed(1)}, weighted defects ${r.defects.toFixed(2)}`).join('\n'),
    )
    for (const row of rows) expect(row.win, row.name).toBeLessThan(40)
  })

  it('lets no degenerate reply win', () => {
    expect(winRate(() => '')).toBeLessThan(2)
    expect(winRate(stay => stay.prompt)).toBeLessThan(2)
    expect(winRate(stay => Array(16).fill(`Dear ${stay.guest}.`).join(' '), false)).toBeLessThan(2)
    expect(winRate(stay => Array(2).fill(flawless.demonstration(stay, 0)).join(' '))).toBeLessThan(2)
  })

  it('reports every kind, in the order of kinds', () => {
    expect(Object.keys(concierge.judge(test[0]!, '', true).kinds)).toEqual([...DEFECT_KINDS])
    expect(concierge.kinds).toBe(DEFECT_KINDS)
  })

  it('has preferences and edits of like accuracy at the default noise', () => {
    // drafts like those of a model that imitates demonstrations: a third more defects
    const rates = Object.fromEntries(Object.entries(DEFAULTS.rates).map(([kind, p]) => [kind, p * 1.3]))
    const model = conciergeWorld({ rates })
    const labels = concierge.stays('pairs', 1, 3_000).map(stay => {
      const a = { text: model.demonstration(stay, 'a'), ended: true }
      const b = { text: model.demonstration(stay, 'b'), ended: true }
      const preference = concierge.prefer(stay, a, b, 0)
      const rejected = preference.chosen === 'a' ? b : a
      return { preference, edit: concierge.edit(stay, rejected.text, rejected.ended, 0) }
    })
    const preferences = labelAccuracy(labels.map(l => l.preference))
    const edits = labelAccuracy(labels.map(l => l.edit))
    console.log(`preferences ${JSON.stringify(preferences)}\nedits ${JSON.stringify(edits)}`)
    expect(Math.abs(preferences.accuracy - edits.accuracy)).toBeLessThan(0.03)
  })
})
