import type { SideLabels, TokenLabels } from '@emend/edits'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { absoluteByLength, editRatios, flatRewardMetrics, rewardMetrics, type ScoredPair } from './reward-metrics.js'
import { marginParts, suffixLeakage } from './suffix-leakage.js'

const side = (changed: string, firstChange: number): SideLabels => ({
  changed: Uint8Array.from(changed, Number),
  pair: new Int32Array(changed.length).fill(-1),
  gap: new Uint8Array(changed.length + 1),
  firstChange,
})

const labels = (draft: string, final: string, firstChange: number): TokenLabels => ({
  draft: side(draft, firstChange),
  final: side(final, firstChange),
  editRatio: (count(draft) + count(final)) / (draft.length + final.length),
})
const count = (flags: string) => flags.replaceAll('0', '').length

// "the room is nice ⟂" → "the suite is nice ⟂": one token of five replaced
const replaced: ScoredPair = {
  chosen: Float32Array.of(1, 4, 2, 0, 3), // mean 2
  rejected: Float32Array.of(1, -3, 1, 0, 1), // mean 0
  chosenScore: 2,
  rejectedScore: 0,
  labels: labels('01000', '01000', 1),
}
// "a b ⟂" → "a x b ⟂": a pure insertion, nothing of the draft changed
const inserted: ScoredPair = {
  chosen: Float32Array.of(2, 6, -2, 2), // mean 2
  rejected: Float32Array.of(2, 4, 3), // mean 3
  chosenScore: 2,
  rejectedScore: 3,
  labels: labels('000', '0100', 1),
}

describe('reward metrics', () => {
  it('by hand', () => {
    const m = rewardMetrics([replaced, inserted])
    expect(m.n).toBe(2)
    expect(m.accuracy).toMatchObject({ accuracy: 0.5, wins: 1, ties: 0, n: 2 })
    expect(m.margin).toBe(0.5) // (2 − 0 + 2 − 3) / 2
    expect([m.min_reward, m.mean_reward, m.max_reward]).toEqual([0, 1.75, 3])
    expect(m.labelled).toBe(2)
    // Only the first draft has a deleted token: −r = 3 against −1 −1 0 −1, so 1. Pooled kept: also −2 −4 −3.
    expect(m.auroc_deleted).toEqual({
      per_text: 1,
      pooled: 1,
      texts_with_both: 1,
      texts: 2,
      positives: 1,
      negatives: 7,
    })
    // Inserted: 4 against 1 2 0 3 → 1; 6 against 2 −2 2 → 1; pooled 4 and 6 against all seven → 1
    expect(m.auroc_inserted).toMatchObject({ per_text: 1, pooled: 1, texts_with_both: 2, positives: 2, negatives: 7 })
    expect(m.edit_ratio).toMatchObject({ n: 2, mean: expect.closeTo((2 / 10 + 1 / 7) / 2, 12), over_budget: 0 })
  })

  it('tells the AUROC apart where kept tokens score like changed ones', () => {
    // Deleted 1 2 (−r: −1 −2) against kept 1 3 (−1 −3): −1=−1 ½, −1>−3 1, −2<−1 0, −2>−3 1 → 2.5/4
    const pair: ScoredPair = {
      chosen: Float32Array.of(0),
      rejected: Float32Array.of(1, 2, 1, 3),
      chosenScore: 0,
      rejectedScore: 0,
      labels: labels('1100', '0', 0),
    }
    expect(rewardMetrics([pair]).auroc_deleted).toMatchObject({ per_text: 0.625, pooled: 0.625 })
    expect(rewardMetrics([pair]).auroc_inserted).toMatchObject({ per_text: Number.NaN, texts_with_both: 0 })
    expect(rewardMetrics([pair]).accuracy).toMatchObject({ accuracy: 0.5, ties: 1 })
  })

  it('of preferences without labels leaves out what needs them', () => {
    const { labels: _, ...plain } = replaced
    const m = rewardMetrics([plain, inserted])
    expect(m).toMatchObject({ n: 2, labelled: 1 })
    expect(rewardMetrics([plain])).not.toHaveProperty('auroc_deleted')
    expect(Object.keys(flatRewardMetrics(rewardMetrics([plain])))).not.toContain('suffix_leakage')
  })

  it('logs by the documented names', () => {
    expect(flatRewardMetrics(rewardMetrics([replaced, inserted]))).toMatchObject({
      accuracy: 0.5,
      margin: 0.5,
      min_reward: 0,
      mean_reward: 1.75,
      max_reward: 3,
      auroc_deleted: 1,
      auroc_inserted: 1,
      suffix_leakage: expect.any(Number),
    })
  })

  it('names the pair and side that cannot be measured', () => {
    const broken = (part: Partial<ScoredPair>) => () => rewardMetrics([replaced, { ...inserted, ...part }])
    expect(broken({ chosen: new Float32Array(0) })).toThrow('pair 1: chosen has no tokens')
    expect(broken({ rejected: Float32Array.of(1, Number.NaN, 2) })).toThrow('pair 1: rejected reward 1 is NaN')
    expect(broken({ chosenScore: Number.POSITIVE_INFINITY })).toThrow('pair 1: chosenScore is Infinity')
    expect(broken({ chosen: Float32Array.of(1, 2) })).toThrow('pair 1: final has 4 labels for 2 rewards')
    expect(() => rewardMetrics([])).toThrow('no pairs')
  })
})

describe('suffix leakage', () => {
  it('by hand', () => {
    // Replaced: prefix 1/5 − 1/5 = 0; changed 4/5 + 3/5 = 1.4; suffix (2+0+3)/5 − (1+0+1)/5 = 0.6; sum 2 → share 0.3
    const a = marginParts(replaced as Required<ScoredPair>)
    expect(a.prefix).toBeCloseTo(0, 12)
    expect(a.changed).toBeCloseTo(1.4, 12)
    expect(a.suffix).toBeCloseTo(0.6, 12)
    // Inserted: prefix 2/4 − 2/3 = −1/6; changed 6/4 = 3/2; suffix (−2+2)/4 − (4+3)/3 = −7/3; sum −1
    const b = marginParts(inserted as Required<ScoredPair>)
    expect(b.prefix).toBeCloseTo(-1 / 6, 12)
    expect(b.changed).toBeCloseTo(1.5, 12)
    expect(b.suffix).toBeCloseTo(-7 / 3, 12)
    // Shares 0.6/2 = 0.3 and (7/3)/(1/6 + 3/2 + 7/3) = (7/3)/4 = 7/12; signed (0.6 − 7/3)/2 over (2 − 1)/2 = −26/15
    const leakage = suffixLeakage([replaced, inserted] as Required<ScoredPair>[])
    expect(leakage.mean).toBeCloseTo((0.3 + 7 / 12) / 2, 12)
    expect(leakage.signed).toBeCloseTo(-26 / 15, 12)
    expect([leakage.n, leakage.without_margin]).toEqual([2, 0])
  })

  it('counts a pair without any margin, and shares nothing out of it', () => {
    const silent = { ...replaced, chosen: new Float32Array(5), rejected: new Float32Array(5) } as Required<ScoredPair>
    expect(suffixLeakage([silent, replaced as Required<ScoredPair>])).toMatchObject({
      mean: expect.closeTo(0.3, 12),
      n: 1,
      without_margin: 1,
    })
    expect(suffixLeakage([silent])).toMatchObject({ mean: Number.NaN, n: 0, without_margin: 1 })
  })

  it('is none if only changed tokens are paid, all if only the others after them are; the parts add up', () => {
    const reward = fc.integer({ min: -8, max: 8 })
    const text = fc.array(fc.tuple(reward, fc.boolean()), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(text, text, (draft, final) => {
        const flags = (rows: [number, boolean][]) => rows.map(r => (r[1] ? '1' : '0')).join('')
        const pay = (paid: (r: [number, boolean]) => number) => ({
          chosen: final.map(paid),
          rejected: draft.map(paid),
          labels: labels(flags(draft), flags(final), 0),
        })
        const onlyChanged = suffixLeakage([pay(r => (r[1] ? r[0] : 0))])
        if (onlyChanged.n) expect(onlyChanged.mean).toBe(0)
        const onlyKept = suffixLeakage([pay(r => (r[1] ? 0 : r[0]))])
        if (onlyKept.n) expect(onlyKept.mean).toBe(1)
        const whole = pay(r => r[0])
        const parts = marginParts(whole)
        const average = (xs: number[]) => xs.reduce((a, b) => a + b, 0) / xs.length
        expect(parts.prefix + parts.changed + parts.suffix).toBeCloseTo(
          average(whole.chosen) - average(whole.rejected),
          10,
        )
      }),
    )
  })
})

describe('size against length', () => {
  it('by hand', () => {
    // T = 1 2 3 4, mean |r| = 1 1 2 4: quartiles of T at 1.75 2.5 3.25 → floors 1 2 3, then 4: one response each
    // Correlation: T−2.5 = −1.5 −0.5 0.5 1.5, m−2 = −1 −1 0 2 → 5 / √(5 · 6)
    const a = absoluteByLength([[-1], [1, -1], [2, 2, -2], [4, 4, 4, -4]])
    expect(a.mean).toBe(2)
    expect(a.correlation).toBeCloseTo(5 / Math.sqrt(30), 12)
    expect(a.bins).toEqual([
      { from: 1, to: 1, n: 1, mean: 1 },
      { from: 2, to: 2, n: 1, mean: 1 },
      { from: 3, to: 3, n: 1, mean: 2 },
      { from: 4, to: 4, n: 1, mean: 4 },
    ])
  })

  it('bins hold every response once, whatever the lengths', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), lengths => {
        const { bins } = absoluteByLength(lengths.map(n => new Float32Array(n)))
        expect(bins.reduce((n, bin) => n + bin.n, 0)).toBe(lengths.length)
      }),
    )
  })
})

describe('edit ratios', () => {
  it('by hand', () => {
    const r = editRatios([0, 0.1, 0.2, 0.5, 1])
    expect(r.mean).toBeCloseTo(0.36, 12)
    expect(r.quantiles).toMatchObject({ min: 0, p25: 0.1, p50: 0.2, p75: 0.5, max: 1 })
    expect(r.quantiles.p10).toBeCloseTo(0.04, 12)
    expect(r.quantiles.p90).toBeCloseTo(0.8, 12)
    expect(r.over_budget).toBe(2)
    expect(r.histogram.counts[0]).toBe(1)
    expect(r.histogram.counts[2]).toBe(1) // 0.1 opens [0.1, 0.15)
    expect(r.histogram.counts[19]).toBe(1) // 1 is in the last bin
  })
})
