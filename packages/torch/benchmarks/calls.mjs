/** What one call of an operator costs: ours beside Python's, for operators that do next to nothing. */
import { enableGrad, noGrad, scope, torch } from '../dist/index.js'
import { median, seconds } from './timing.mjs'

export async function benchmarkCalls(peer, { rounds = 15, n = 20_000 } = {}) {
  const small = torch.ones([8])
  const row = torch.ones([64])
  const square = torch.ones([16, 16])
  const parameter = torch.ones([16, 16]).requires_grad_(true)
  const cases = {
    add: () => small.add(small),
    'add_ scalar': () => small.add_(1),
    view: () => row.view([8, 8]),
    'sum dim': () => square.sum([1], true),
    matmul: () => square.matmul(square),
    'matmul with grad': () => square.matmul(parameter),
  }
  const rows = []
  for (const [name, call] of Object.entries(cases)) {
    const mode = name === 'matmul with grad' ? enableGrad : noGrad
    // As a program would: the tensors of some hundred calls are freed together.
    const ours = () =>
      mode(() => {
        for (let done = 0; done < n; done += 200) {
          scope(() => {
            for (let i = 0; i < 200; i++) call()
          })
        }
      })
    ours()
    if (peer) await peer.ask({ call: name, n })
    const mine = []
    const theirs = []
    for (let round = 0; round < rounds; round++) {
      mine.push(seconds(ours) / n)
      if (peer) theirs.push((await peer.ask({ call: name, n })).seconds / n)
    }
    const microseconds = value => Number((value * 1e6).toFixed(2))
    rows.push({
      call: name,
      'ours, µs': microseconds(median(mine)),
      ...(peer && {
        'Python, µs': microseconds(median(theirs)),
        'Python / ours': Number((median(theirs) / median(mine)).toFixed(2)),
      }),
    })
  }
  console.log(`Cost of a call, freeing its result included; median of ${rounds} × ${n}, in turn`)
  console.table(rows)
  return rows
}
