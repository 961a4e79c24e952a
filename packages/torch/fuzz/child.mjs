/**
 * Makes the calls FROM … TO-1 of a seed and prints what came of them as JSON. Before each call, its number and words are
 * written to the journal, so that who started this process knows what killed it.
 *   node fuzz/child.mjs SEED FROM TO JOURNAL [NAME]     (NAME: only this operator)
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { scope, setMemoryLimit, setNumThreads, Tensor, torch } from '../dist/index.js'
import { chooser, describe, makeCall } from './arguments.mjs'
import { targets } from './targets.mjs'

const [seed, from, to] = process.argv.slice(2, 5).map(Number)
const [journal, only] = process.argv.slice(5)
const operators = targets().filter(({ name }) => only === undefined || name === only)
const file = openSync(journal, 'w')
const page = Buffer.alloc(1024, ' ')

setMemoryLimit(512 * 2 ** 20)
setNumThreads(1)

/** What the message of a refusal of ours says: what was wrong, and got / expected. */
const ours =
  /must be .+, got |no argument '|at most \d+ arguments|is given twice|used after it was freed|arguments of more than/
const counts = { calls: 0, done: 0, refused: 0, libtorch: 0, backward: 0 }
const complaints = []

for (let i = from; i < to; i++) {
  const { name, overload, method, schema } = operators[i % operators.length]
  const choose = chooser(seed, i)
  const label = `torch.${name}`
  scope(() => {
    const round = Math.floor(i / operators.length) + (i % operators.length)
    const { self, args } = makeCall(choose, schema, method, round)
    const words = `${i} ${method ? `${describe(self)}.${name}` : label}(${args.map(describe).join(', ')})  # ${overload || 'default overload'}`
    page.fill(' ')
    page.write(words)
    writeSync(file, page, 0, page.length, 0)
    counts.calls++
    let result
    try {
      result = method ? Tensor.prototype[name].apply(self, args) : torch[name](...args)
      counts.done++
    } catch (error) {
      const message = String(error?.message)
      const refusal = error instanceof TypeError || /used after it was freed/.test(message)
      counts[refusal ? 'refused' : 'libtorch']++
      const named = message.includes(name)
      const explained = !refusal || ours.test(message)
      if (!(error instanceof Error) || !named || !explained || message.includes('\n'))
        complaints.push({ call: words, message })
      return
    }
    backward(result)
  })
}
closeSync(file)
console.log(
  JSON.stringify({
    operators: operators.length,
    counts,
    complaints: complaints.slice(0, 50),
    complained: complaints.length,
  }),
)

/** Runs the gradient of a result too: a crash often waits there. */
function backward(result) {
  const outputs = Object.values(result instanceof Tensor ? [result] : (result ?? {})).filter(
    // A view may claim 2^53 elements of one; summing them would take years.
    part => part instanceof Tensor && !part.disposed && part.requiresGrad && part.numel < 1e6,
  )
  for (const output of outputs) {
    try {
      output.sum().backward()
      counts.backward++
    } catch {
      // Many operators have no derivative, or not for these arguments.
    }
  }
}
