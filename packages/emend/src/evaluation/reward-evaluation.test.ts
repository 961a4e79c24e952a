import { describe, expect, it } from 'vitest'
import { measureReward } from './reward-evaluation.js'
import type { ScoredPair } from './reward-metrics.js'

/** A pair of given scores and lengths in tokens. */
const pair = (chosenScore: number, rejectedScore: number, chosen: number, rejected: number): ScoredPair => ({
  ...{ chosenScore, rejectedScore },
  chosen: new Float32Array(chosen).fill(chosenScore),
  rejected: new Float32Array(rejected).fill(rejectedScore),
})

describe('a reward model on held-out pairs', () => {
  const scored = [pair(2, 1, 5, 3), pair(0, 1, 5, 3), pair(3, 0, 2, 4), pair(1, 1, 3, 3)]

  it('by hand: all, each subset, the mean of subsets, length alone', () => {
    const { metrics, longer, subsets, subset_mean } = measureReward(scored, ['chat', 'code', 'chat', 'chat'])
    // Wins 2, one tie: 2.5 of 4. The longer one is chosen in two, loses one, ties one.
    expect(metrics.accuracy.accuracy).toBe(0.625)
    expect(longer).toMatchObject({ accuracy: 0.625, wins: 2, ties: 1 })
    expect([...subsets.keys()]).toEqual(['chat', 'code'])
    // chat: two wins and a tie of 3; margins 1, 3, 0. Longer: right, wrong, tie.
    expect(subsets.get('chat')).toMatchObject({ n: 3, wins: 2, ties: 1, accuracy: 2.5 / 3, margin: 4 / 3, longer: 0.5 })
    expect(subsets.get('code')).toMatchObject({ n: 1, accuracy: 0, margin: -1, longer: 1 })
    expect(subset_mean).toBeCloseTo((2.5 / 3 + 0) / 2, 12)
  })

  it('without subsets there are none', () => {
    const found = measureReward(scored)
    expect([found.subsets.size, 'subset_mean' in found]).toEqual([0, false])
  })
})
