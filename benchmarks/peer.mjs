// What the benchmarks with a Python peer share: the peer, asked one JSON line at a time, and the median.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const median = numbers => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

/** Starts a script beside this file; asking fails, with what Python needs, once it has ended. */
export function startPeer(script, needs) {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const child = spawn(process.env.PYTHON ?? 'python3', [path], { stdio: ['pipe', 'pipe', 'inherit'] })
  const waiting = []
  let ended
  const fail = why => {
    ended ??= why
    for (const { reject } of waiting.splice(0)) reject(new Error(why))
  }
  createInterface({ input: child.stdout }).on('line', line => waiting.shift()?.resolve(JSON.parse(line)))
  child.on('error', error => fail(error.message))
  child.on('close', code => fail(`Python ended with ${code}; set PYTHON to one with ${needs}`))
  child.stdin.on('error', () => {})
  return {
    ask: request =>
      new Promise((resolve, reject) => {
        if (ended) return reject(new Error(ended))
        waiting.push({ resolve, reject })
        child.stdin.write(`${JSON.stringify(request)}\n`)
      }),
    end: () => child.stdin.end(),
  }
}
