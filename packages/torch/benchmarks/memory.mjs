/** Resident memory over a thousand steps of training and of generation, after a hundred of warm-up: it must stand still. */
import { memory } from '../dist/index.js'
import { generate } from './decoder.mjs'
import { trainer } from './steps.mjs'

// About the demo's model.
const size = { layers: 4, width: 128, inner: 344, heads: 4, vocab: 1024, batch: 16, length: 64 }

export function benchmarkMemory({ steps = 1000, warmup = 100 } = {}) {
  const { model, step, dispose } = trainer(size)
  const prompts = Array.from({ length: 8 }, (_, i) =>
    Int32Array.from({ length: 4 + i }, (_, k) => (7 * i + k) % size.vocab),
  )
  let seed = 0
  const rows = []
  for (const [name, work] of [
    ['training', step],
    ['generation', () => generate(model, prompts, { maxNewTokens: 16, eos: [], seed: seed++ })],
  ]) {
    for (let i = 0; i < warmup; i++) work()
    const before = memory()
    for (let i = 0; i < steps; i++) work()
    const after = memory()
    rows.push({
      work: name,
      steps,
      'MB before': Number((before.rss / 2 ** 20).toFixed(1)),
      'MB after': Number((after.rss / 2 ** 20).toFixed(1)),
      'growth, %': Number((100 * (after.rss / before.rss - 1)).toFixed(2)),
      'tensors before': before.tensors,
      'tensors after': after.tensors,
    })
  }
  dispose()
  console.log(`Resident memory over ${steps} steps, after ${warmup} of warm-up (target: growth under 2 %)`)
  console.table(rows)
  return rows
}
