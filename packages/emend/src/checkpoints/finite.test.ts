import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memory, noGrad, tensor } from '@emend/torch'
import { expect, it } from 'vitest'
import { LanguageModel } from '../language-model.js'
import { trainTokenizer } from '../text/index.js'
import { refuseNonFinite } from './finite.js'

it.each([Number.NaN, Number.POSITIVE_INFINITY])('names the first tensor that holds %s', bad => {
  const tensors = new Map([
    ['fine', tensor([1, -2, 3])],
    ['model.norm.weight', tensor([1, bad, 3])],
    ['later', tensor([bad])],
  ])
  expect(() => refuseNonFinite(tensors, 'runs/m')).toThrow('runs/m: model.norm.weight: holds NaN or infinite numbers')
})

it('takes numbers whose sum alone is too large for their type', () => {
  // 65,504 is float16's largest number: two of them have no sum.
  const large = tensor([65504, 65504], { dtype: 'float16' })
  expect(large.sum().item()).toBe(Number.POSITIVE_INFINITY)
  refuseNonFinite(
    [
      ['large', large],
      ['both ways', tensor([3e38, 3e38])],
    ],
    'm',
  )
})

it('a model with such a weight is refused when it is loaded', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'emend-finite-'))
  try {
    const shape = { layers: 1, heads: 1, hiddenSize: 8, maxPositions: 16 }
    const model = LanguageModel.create(await trainTokenizer(['x'], { vocabSize: 258 }), shape, 1)
    noGrad(() => model.decoder.parameters().get('model.norm.weight')!.fill_(Number.NaN))
    await model.save(folder)
    const before = memory().tensors
    await expect(LanguageModel.load(folder)).rejects.toThrow(`${folder}: model.norm.weight: holds NaN`)
    expect(memory().tensors).toBe(before)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
