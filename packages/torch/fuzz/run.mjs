/**
 * Fuzzes every typed operator in child processes: no arguments may end one by a signal, and every error names its operator.
 *   npm run fuzz -w @emend/torch -- [--calls 100000] [--seed 1] [--chunk 5000] [--operator NAME]
 * Prints one line a finding and a table at the end; exit status 1 when there was a finding.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    chunk: { type: 'string', default: '5000' },
    operator: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const [calls, seed, chunk] = [Number(values.calls), Number(values.seed), Number(values.chunk)]
/** Seconds without a new call after which a child is taken to hang. */
const PATIENCE = 30

const folder = mkdtempSync(join(tmpdir(), 'fuzz-'))
const journal = join(folder, 'journal')
const child = fileURLToPath(new URL('child.mjs', import.meta.url))
const lastCall = () => {
  try {
    return readFileSync(journal, 'utf8').trim()
  } catch {
    return ''
  }
}

/** Runs calls from … to-1 in one child: what it printed, or the signal that ended it. */
function runChild(from, to) {
  return new Promise(done => {
    const args = [child, String(seed), String(from), String(to), journal]
    if (values.operator) args.push(values.operator)
    const process_ = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    let err = ''
    let hung = false
    let seen = ''
    let since = Date.now()
    const watch = setInterval(() => {
      const now = lastCall()
      if (now !== seen) [seen, since] = [now, Date.now()]
      else if (Date.now() - since > PATIENCE * 1000) {
        hung = true
        process_.kill('SIGKILL')
      }
    }, 500)
    process_.stdout.on('data', data => (out += data))
    process_.stderr.on('data', data => (err = (err + data).slice(-2000)))
    process_.on('close', (code, signal) => {
      clearInterval(watch)
      done({ code, signal, hung, out, err })
    })
  })
}

const total = { calls: 0, done: 0, refused: 0, libtorch: 0, backward: 0 }
const findings = []
let complained = 0
let operators = 0
let told = 0
const queue = []
for (let from = 0; from < calls; from += chunk) queue.push([from, Math.min(calls, from + chunk)])

for (let job = queue.shift(); job; job = queue.shift()) {
  const [from, to] = job
  const { code, signal, hung, out, err } = await runChild(from, to)
  if (code === 0) {
    // The last line: MKL writes its own complaints to stdout.
    const report = JSON.parse(out.trimEnd().split('\n').at(-1))
    operators = report.operators
    for (const key of Object.keys(total)) total[key] += report.counts[key]
    complained += report.complained
    for (const { call, message } of report.complaints) findings.push({ kind: 'message', call, message })
  } else {
    const call = lastCall()
    const at = Number.parseInt(call, 10)
    findings.push({
      kind: hung ? 'hang' : 'crash',
      call,
      message: hung ? `${PATIENCE} s` : `${signal ?? code} ${err.trim().split('\n').at(-1)}`,
    })
    // What was counted is lost with the child: the part before is done again, the part behind still to do.
    if (Number.isFinite(at) && at >= from && at < to)
      queue.unshift(
        ...[
          [from, at],
          [at + 1, to],
        ].filter(([a, b]) => a < b),
      )
  }
  if (values.json) continue
  for (const { kind, call, message } of findings.slice(told)) console.log(`${kind}: ${call}\n    ${message}`)
  told = findings.length
  process.stderr.write(`${total.calls} of ${calls} calls, ${findings.length} findings\n`)
}
rmSync(folder, { recursive: true, force: true })

if (values.json) console.log(JSON.stringify({ operators, ...total, complained, findings }))
else {
  console.table({
    operators,
    ...total,
    'crashes and hangs': findings.filter(f => f.kind !== 'message').length,
    'bad messages': complained,
  })
}
process.exitCode = findings.length > 0 ? 1 : 0
