import { describe, expect, it } from 'vitest'
import { checkEdit, ratioDistribution, wordEditRatio } from './ratio.js'

it('counts changed words of both sides', () => {
  // Draft: 4 words, 1 replaced. Final: 4 words, 1 replaced in.
  expect(wordEditRatio('I like big dogs.', 'I like big mice.')).toBe(2 / 8)
  // Draft: 3 words, none touched. Final: 4 words, one inserted.
  expect(wordEditRatio('I like cats.', 'I like big cats.')).toBe(1 / 7)
  expect(wordEditRatio('', '')).toBe(0)
  expect(wordEditRatio('', 'all new')).toBe(1)
  // Punctuation is no word.
  expect(wordEditRatio('one two', 'one two!')).toBe(0)
})

describe('checkEdit', () => {
  it('lets a small edit pass', () => {
    expect(checkEdit({ draft: 'The room is on floor two.', final: 'The room is on floor six.' })).toEqual({
      ok: true,
      ratio: 2 / 12,
      // "Theroomisonfloor" and "." are kept: 17 of 20 characters.
      shared: 17 / 20,
      flags: [],
      reasons: [],
    })
  })

  it('flags what is empty, unchanged, over the budget, or a rewrite', () => {
    expect(checkEdit({ draft: 'gone', final: ' ' }).flags).toEqual(['empty-final', 'over-budget', 'shares-too-little'])
    expect(checkEdit({ draft: 'same', final: 'same' }).flags).toEqual(['unchanged'])
    expect(checkEdit({ draft: 'a b c d', final: 'a b x y' }).flags).toEqual(['over-budget'])
    const rewrite = checkEdit({ draft: 'Why hello there', final: 'Quick brown fox jumped' })
    expect(rewrite.flags).toEqual(['over-budget', 'shares-too-little'])
    expect(rewrite.reasons[0]).toBe('edit ratio 1.00 is over the budget of 0.4')
  })

  it('takes the ratio of tokens where one is given, and other limits', () => {
    const edit = { draft: 'a b c d', final: 'a b x y' }
    expect(checkEdit({ ...edit, ratio: 0.1 })).toMatchObject({ ok: true, ratio: 0.1 })
    expect(checkEdit(edit, { maxRatio: 0.5 })).toMatchObject({ ok: true, ratio: 0.5 })
  })
})

it('sums up a distribution', () => {
  expect(ratioDistribution([0.5, 0.1, 0.2, 0.4, 0.3])).toEqual({
    n: 5,
    mean: 0.3,
    min: 0.1,
    quartiles: [0.2, 0.3, 0.4],
    p90: expect.closeTo(0.46, 12),
    max: 0.5,
    overBudget: 0.2,
  })
  expect(ratioDistribution([]).mean).toBeNaN()
})
