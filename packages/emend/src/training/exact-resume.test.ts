import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { hash32, uniform } from '@emend/torch'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Interrupted } from '../errors.js'
import { readMetrics } from '../pipeline/run-folder.js'
import { algorithmNames, digestsOf, runTiny } from './tiny-runs.fixture.js'

const root = mkdtempSync(join(tmpdir(), 'emend-resume-'))
const stepsOf: Readonly<Record<string, number>> = {
  sft: 16,
  reward: 16,
  dpo: 16,
  ppo: 12,
  'sft, bfloat16': 16,
  'ppo, lora': 12,
}
const expected = new Map<string, Record<string, unknown>>()
const msPerStep = new Map<string, number>()
let folders = 0
const newFolder = () => join(root, `run-${folders++}`)

beforeAll(async () => {
  for (const name of algorithmNames) {
    const folder = newFolder()
    const started = performance.now()
    await runTiny(name, { folder, checkpointEvery: 1 })
    msPerStep.set(name, (performance.now() - started) / (stepsOf[name] as number))
    expected.set(name, digestsOf(folder))
  }
  // Node cannot run TypeScript by itself: the child's script is bundled first. The engine stays where it is built.
  const engine = pathToFileURL(createRequire(import.meta.url).resolve('@emend/torch')).href
  await build({
    configFile: false,
    logLevel: 'error',
    resolve: { alias: { '@emend/torch': engine } },
    ssr: { noExternal: true, external: [engine] },
    build: {
      ssr: fileURLToPath(new URL('tiny-runs.fixture.ts', import.meta.url)),
      outDir: join(root, 'child'),
      rollupOptions: { external: [engine, /^tokenizers/], output: { entryFileNames: 'child.mjs' } },
    },
  })
}, 120_000)
afterAll(() => rmSync(root, { recursive: true, force: true }))

interface Moment {
  /** Killed this far into the step after so many have ended. */
  readonly after: number
  readonly share: number
}

/** Moments, in order, drawn from a seeded generator; the last step is left to end in peace. */
function randomMoments(n: number, seed: number, steps: number): Moment[] {
  return Array.from({ length: n }, (_, i) => ({
    after: hash32(seed, i) % (steps - 1),
    share: uniform(seed, i, 1),
  })).sort((a, b) => a.after + a.share - b.after - b.share)
}

/** Runs the child to its end, or kills it at a moment; what ended it, and the steps it told. */
function runChild(args: readonly (string | number)[], kill?: Moment, msPerStep = 0) {
  const child = spawn(process.execPath, [join(root, 'child', 'child.mjs'), ...args.map(String)], {
    env: { ...process.env, EMEND_TINY_RUN: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const told: number[] = []
  createInterface(child.stdout).on('line', line => {
    told.push(Number(line))
    if (kill && told.find(step => step >= kill.after) === told.at(-1))
      setTimeout(() => child.kill('SIGKILL'), kill.share * msPerStep)
  })
  return new Promise<{ end: number | string | null; told: number[] }>(resolve => {
    child.on('close', (code, signal) => resolve({ end: signal ?? code, told }))
  })
}

describe.each(algorithmNames)('%s', name => {
  const steps = stepsOf[name] as number

  it('leaves the same bytes when it is run again', async () => {
    const folder = newFolder()
    await runTiny(name, { folder, checkpointEvery: 5 })
    expect(digestsOf(folder)).toEqual(expected.get(name))
  })

  it('leaves the same bytes when it was stopped and went on', async () => {
    const folder = newFolder()
    for (const at of [3, 4, 9]) {
      const stop = new AbortController()
      const stopped = runTiny(name, { folder, signal: stop.signal, onProgress: done => done === at && stop.abort() })
      await expect(stopped).rejects.toThrow(Interrupted)
    }
    await runTiny(name, { folder })
    expect(digestsOf(folder)).toEqual(expected.get(name))
    expect(readMetrics(join(folder, 'metrics.jsonl')).map(row => row.step)).toEqual(
      Array.from({ length: steps }, (_, i) => i),
    )
  })

  it('leaves the same bytes after kill -9 at random moments', async () => {
    const seed = algorithmNames.indexOf(name) + 1
    const every = 2 - (seed % 2)
    const moments = randomMoments(name.includes(',') ? 2 : 5, seed, steps)
    const said = moments.map(({ after, share }) => (after + share).toFixed(2)).join(', ')
    console.log(`${name}: killed after ${said} of ${steps} steps; a checkpoint every ${every}`)
    const killAtEach = async (folder: string) => {
      for (const moment of moments) {
        const { end } = await runChild([folder, name, every], moment, msPerStep.get(name))
        if (end !== 'SIGKILL') return end
      }
      return 'SIGKILL'
    }
    // On a busy machine a child may come to its end before the signal does: then from the beginning.
    let folder = newFolder()
    for (let tries = 1; ; tries++) {
      const end = await killAtEach(folder)
      if (end === 'SIGKILL') break
      expect([end, tries < 6], said).toEqual([0, true])
      folder = newFolder()
    }
    const last = await runChild([folder, name, every])
    expect([last.end, last.told.at(-1)]).toEqual([0, steps])
    expect(last.told[0]).toBeGreaterThan(0)
    expect(digestsOf(folder), said).toEqual(expected.get(name))
  })
})

// Each checkpoint of PPO makes fourteen syncs: two for each of its four files of tensors, then the two logs, state.json, the
// manifest, its own folder, and after the rename the folder of checkpoints. These are all in the second checkpoint.
it.each([
  [16, 'its tensors'],
  [27, 'its last file'],
  [28, 'its name'],
])('ppo leaves the same bytes when killed at sync %i, as a checkpoint gets %s', async sync => {
  const folder = newFolder()
  const killed = await runChild([folder, 'ppo', 1, sync])
  expect(killed.end).toBe('SIGKILL')
  expect(existsSync(join(folder, 'checkpoints'))).toBe(true)
  const last = await runChild([folder, 'ppo', 1])
  expect([last.end, last.told[0]]).toEqual([0, sync < 28 ? 1 : 2])
  expect(digestsOf(folder)).toEqual(expected.get('ppo'))
  expect(readdirSync(join(folder, 'checkpoints'))).toEqual(['step-00000011', 'step-00000012'])
})
