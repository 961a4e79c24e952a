/**
 * Resident memory over a thousand steps of training and of generation, after a hundred of warm-up: it must stand still.
 * One reading is off by some megabytes either way (the allocator keeps and gives back pages as it likes), so the medians
 * of the first and of the last hundred steps are compared. V8 enlarges its young generation twice within some thousands
 * of steps, by 8 and 16 MB, and then stops: its heap is shown apart.
 */
import { memory } from '../dist/index.js'
import { generate } from './decoder.mjs'
import { trainer } from './steps.mjs'
import { median } from './timing.mjs'

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
    const tensors = memory().tensors
    const rss = []
    const heap = []
    for (let i = 0; i < steps; i++) {
      work()
      rss.push(memory().rss / 2 ** 20)
      heap.push(process.memoryUsage().heapTotal / 2 ** 20)
    }
    const first = median(rss.slice(0, 100))
    const last = median(rss.slice(-100))
    rows.push({
      work: name,
      steps,
      'MB, first 100': Number(first.toFixed(1)),
      'MB, last 100': Number(last.toFixed(1)),
      'growth, %': Number((100 * (last / first - 1)).toFixed(2)),
      'of it V8 heap, MB': Number((median(heap.slice(-100)) - median(heap.slice(0, 100))).toFixed(1)),
      'MB at most': Number(Math.max(...rss).toFixed(1)),
      'tensors before': tensors,
      'tensors after': memory().tensors,
    })
  }
  dispose()
  console.log(`Resident memory over ${steps} steps, after ${warmup} of warm-up (target: growth under 2 %)`)
  console.table(rows)
  return rows
}
