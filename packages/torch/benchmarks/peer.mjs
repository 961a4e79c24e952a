/** Finds a Python whose torch stands on the same libtorch, and asks it to do the same work. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { findings } from '../dist/index.js'

/** `PYTHON`, or the interpreter of the environment that the engine's libtorch is installed in; null when there is none. */
export function findPython() {
  if (process.env.PYTHON) return process.env.PYTHON
  const folder = findings().libtorch?.folder
  if (!folder) return null
  // …/lib/python3.x/site-packages/torch belongs to …/bin/python
  const python = join(dirname(dirname(dirname(dirname(folder)))), 'bin', 'python')
  return existsSync(python) ? python : null
}

/** The peer, or null with the reason printed. `ask` resolves to its answer. */
export async function startPeer(threads) {
  const python = findPython()
  if (!python) {
    console.log('No Python beside this libtorch (set PYTHON to one with torch): the peer is left out.\n')
    return null
  }
  const script = fileURLToPath(new URL('peer.py', import.meta.url))
  const child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const waiting = []
  createInterface({ input: child.stdout }).on('line', line => waiting.shift()?.resolve(JSON.parse(line)))
  child.on('error', () => {})
  child.stdin.on('error', () => {})
  child.on('close', code => {
    for (const { reject } of waiting) reject(new Error(`${python} ended with ${code}`))
  })
  const ask = request =>
    new Promise((resolve_, reject) => {
      waiting.push({ resolve: resolve_, reject })
      child.stdin.write(`${JSON.stringify(request)}\n`)
    })
  try {
    const { torch, file, python: version } = await ask({ threads })
    const same = resolve(dirname(file)) === resolve(findings().libtorch?.folder ?? '')
    console.log(
      `Peer: Python ${version}, torch ${torch}, ${same ? 'the same libtorch' : 'ANOTHER libtorch than ours'}.\n`,
    )
    return { ask, end: () => child.stdin.end() }
  } catch (error) {
    console.log(`${error.message}: the peer is left out. PYTHON must have torch installed.\n`)
    return null
  }
}
