import { describe, expect, it } from 'vitest'
import { heatOf } from './report.js'

describe('heatOf', () => {
  const tokens = [
    { text: 'Good', reward: 3 },
    { text: ' day', reward: -1 },
    { text: '<eos>', reward: 0.5 },
  ]
  it('totals what the model compares texts by: (3 − 1 + 0.5) / 3, or the last token', () => {
    expect(heatOf('edits-token', 'draft', 'P', tokens).total).toBeCloseTo(2.5 / 3, 12)
    expect(heatOf('edits-sequence', 'final', 'P', tokens).total).toBe(0.5)
  })
  it('says so', () => {
    expect(heatOf('edits-token', 'draft', 'P', tokens)).toMatchObject({
      model: 'edits-token: draft',
      note: 'total: R, the mean over tokens',
    })
    expect(heatOf('edits-sequence', 'final', 'P', tokens).note).toContain('the last token')
  })
})
