import { describe, expect, it } from 'vitest'
import type { Annotation } from './annotations.js'
import { compareAnnotations } from './comparison.js'
import { joinByInstruction } from './outputs.js'

const annotation = (instruction: string, preference: number | null, more: Partial<Annotation> = {}): Annotation => ({
  instruction,
  output_1: 'reference',
  output_2: 'model',
  annotator: 'judge',
  preference,
  ...more,
})

describe('joining by instruction', () => {
  it('keeps the order of the first, pairs repeated ones in turn, and counts what is left over', () => {
    const a = ['x', 'y', 'x', 'z', 'x'].map((instruction, i) => ({ instruction, i }))
    const b = ['x', 'w', 'y', 'x'].map((instruction, i) => ({ instruction, i }))
    const { pairs, onlyInA, onlyInB } = joinByInstruction(a, b)
    expect(pairs.map(([one, other]) => [one.i, other.i])).toEqual([
      [0, 0],
      [1, 2],
      [2, 3],
    ])
    expect([onlyInA, onlyInB]).toEqual([2, 1])
  })
})

describe('two models on the same prompts', () => {
  it('by hand', () => {
    // Differences in points: 100, 0, 50, 50. Mean 50; deviations² 2500, 2500, 0, 0; variance 5000/3; SE √(5000/12)
    const here = [annotation('p', 2), annotation('q', 1), annotation('r', 1.5), annotation('s', 2)]
    const there = [annotation('s', 0), annotation('r', 1), annotation('q', 1), annotation('p', 1)]
    const se = Math.sqrt(5000 / 12)
    // Student's t with 3 degrees of freedom: 3.182446 at 97.5 %
    expect(compareAnnotations(here, there)).toEqual({
      difference: 50,
      standard_error: expect.closeTo(se, 10),
      interval: [expect.closeTo(50 - 3.1824463052837078 * se, 8), expect.closeTo(50 + 3.1824463052837078 * se, 8)],
      p: expect.closeTo(0.09172111331157186, 12), // scipy.stats.ttest_rel
      verdict: 'open',
      n: 4,
      only_here: 0,
      only_there: 0,
      unjudged: 0,
      other_reference: 0,
      same_judge: true,
    })
  })

  it('says what is not the same game', () => {
    const here = [
      annotation('p', 2),
      annotation('q', null),
      annotation('r', 2, { output_1: 'other' }),
      annotation('x', 2),
    ]
    const there = [annotation('p', 1), annotation('q', 1), annotation('r', 1, { annotator: 'someone' })]
    expect(compareAnnotations(here, there)).toMatchObject({
      difference: 100,
      n: 2,
      only_here: 1,
      only_there: 0,
      unjudged: 1,
      other_reference: 1,
      same_judge: false,
    })
  })

  it('refuses files that share nothing', () => {
    expect(() => compareAnnotations([annotation('p', 2)], [annotation('q', 2)])).toThrow(
      'nothing to compare: of 1 and 1 prompts none is judged in both files',
    )
  })
})
