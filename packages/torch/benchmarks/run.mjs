/**
 * The engine's benchmarks, with Python PyTorch on the same libtorch beside us, in turn:
 *   npm run bench -w @emend/torch -- [calls] [steps] [demo] [memory] [--threads N]      (none named: all)
 * Nothing else should run on the machine meanwhile.
 */
import { parseArgs } from 'node:util'
import { numThreads, setNumThreads, versions } from '../dist/index.js'
import { benchmarkCalls } from './calls.mjs'
import { benchmarkDemo } from './demo.mjs'
import { benchmarkMemory } from './memory.mjs'
import { findPython, startPeer } from './peer.mjs'
import { benchmarkSteps } from './steps.mjs'

const { values, positionals } = parseArgs({ allowPositionals: true, options: { threads: { type: 'string' } } })
const wanted = name => positionals.length === 0 || positionals.includes(name)
if (values.threads) setNumThreads(Number(values.threads))
const threads = numThreads()
console.log(`libtorch ${versions().torch}, Node ${versions().node}, ${threads} threads`)

// First, while nothing else has enlarged the process.
if (wanted('memory')) benchmarkMemory()
const peer = wanted('calls') || wanted('steps') ? await startPeer(threads) : null
if (wanted('calls')) await benchmarkCalls(peer)
if (wanted('steps')) await benchmarkSteps(peer)
if (wanted('demo')) await benchmarkDemo(findPython())
peer?.end()
