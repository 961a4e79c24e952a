/** Looks at the machine for `emend doctor`. Changes nothing, and throws nothing: what fails is a finding. */

import { spawnSync } from 'node:child_process'
import { availableParallelism, freemem, totalmem } from 'node:os'
import { oneLine } from '../errors.js'

/** One thing looked at. `later`: not there yet, and set-up will see to it. */
export interface Finding {
  name: string
  state: 'ok' | 'later' | 'missing'
  value: string
  /** The command, or the step, that mends it. */
  mend?: string
}

/** Node, processor, memory, Python, the engine and the tokenizers. */
export async function examine(): Promise<Finding[]> {
  const python = examinePython()
  return [
    examineNode(),
    examineThreads(),
    examineMemory(),
    python,
    ...(await examineEngine(python)),
    await examineTokenizers(),
  ]
}

function examineNode(): Finding {
  const major = Number(process.versions.node.split('.')[0])
  const value = `${process.versions.node} on ${process.platform}-${process.arch}`
  return major >= 20
    ? { name: 'Node.js', state: 'ok', value }
    : { name: 'Node.js', state: 'missing', value, mend: 'install Node.js 20 or newer, e.g. nvm install 20' }
}

function examineThreads(): Finding {
  return { name: 'threads', state: 'ok', value: String(availableParallelism()) }
}

function examineMemory(): Finding {
  const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`
  // In a container the limit of its control group counts, not the machine's memory; without one it is absurdly large.
  const limit = process.constrainedMemory?.() ?? 0
  const total = limit > 0 && limit < totalmem() ? limit : totalmem()
  const value = `${gigabytes(total)}, ${gigabytes(Math.min(freemem(), total))} free`
  return total >= 2 * 2 ** 30
    ? { name: 'memory', state: 'ok', value }
    : { name: 'memory', state: 'missing', value, mend: 'the demo needs 2 GiB: give the machine or container more' }
}

function examinePython(): Finding {
  const install = 'apt-get install python3 python3-venv (Debian, Ubuntu), dnf install python3, brew install python'
  const answer = spawnSync('python3', ['--version'], { encoding: 'utf8' })
  if (answer.status !== 0) return { name: 'Python', state: 'missing', value: 'no python3', mend: install }
  const version = answer.stdout.trim().replace('Python ', '')
  const hasVenv = spawnSync('python3', ['-c', 'import venv, ensurepip']).status === 0
  return hasVenv
    ? { name: 'Python', state: 'ok', value: version }
    : { name: 'Python', state: 'missing', value: `${version}, without venv`, mend: 'apt-get install python3-venv' }
}

async function examineEngine(python: Finding): Promise<Finding[]> {
  try {
    // Looking must not set anything up, as importing the engine itself would.
    const { libtorch, compiler, built, missing } = (await import('@emend/torch/setup')).findings()
    const about = (word: string) => missing.find(line => line.includes(word))
    const found: Finding[] = [
      libtorch
        ? { name: 'libtorch', state: 'ok', value: `${libtorch.version} in ${libtorch.folder}` }
        : python.state === 'ok'
          ? {
              name: 'libtorch',
              state: 'later',
              value: 'not found',
              mend: 'npm run demo installs it, or set LIBTORCH to its folder',
            }
          : {
              name: 'libtorch',
              state: 'missing',
              value: 'not found',
              mend: about('LIBTORCH') ?? 'install Python first',
            },
      compiler
        ? { name: 'compiler', state: 'ok', value: compiler.version }
        : {
            name: 'compiler',
            state: built ? 'ok' : 'missing',
            value: built ? 'none, and none needed: the engine is compiled' : 'none',
            ...(built ? {} : { mend: about('compiler')?.replace(/^[^:]*: /, '') ?? 'apt-get install g++' }),
          },
    ]
    if (!built)
      return [...found, { name: 'engine', state: 'later', value: 'not compiled', mend: 'it will be at first use' }]
    const engine = await import('@emend/torch')
    const devices = engine.devices().join(', ')
    return [
      ...found,
      { name: 'engine', state: 'ok', value: `compiled; ${engine.numThreads()} threads; devices: ${devices}` },
    ]
  } catch (error) {
    return [{ name: 'engine', state: 'missing', value: oneLine(error), mend: 'npm install, then npm run build' }]
  }
}

async function examineTokenizers(): Promise<Finding> {
  try {
    await import('tokenizers')
    return { name: 'tokenizers', state: 'ok', value: 'loaded' }
  } catch (error) {
    return { name: 'tokenizers', state: 'missing', value: oneLine(error), mend: 'npm install tokenizers' }
  }
}
