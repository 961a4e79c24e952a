import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Interrupted } from '../errors.js'
import { readJsonl, readMetrics } from '../pipeline/run-folder.js'
import { Run, type RunOptions } from './run.js'
import type { Stateful } from './stateful.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-run-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Adds up the numbers of the steps it was there for. */
class Sum implements Stateful {
  total = 0
  state = () => ({ values: { total: this.total } })
  load: Stateful['load'] = ({ values }) => {
    this.total = (values as { total: number }).total
  }
}

/** Runs steps 0 to 9, logging each; dies in step `dieIn`, after its log. */
async function tenSteps(
  options: RunOptions,
  dieIn = Number.POSITIVE_INFINITY,
): Promise<{ total: number; seen: number[] }> {
  const run = new Run({ folder, ...options })
  const sum = new Sum()
  const seen: number[] = []
  for await (const step of run.steps(10, { sum })) {
    seen.push(step)
    sum.total += step
    run.log(step, { total: sum.total })
    run.logRollout({ step, text: 'x'.repeat(step) })
    if (step === dieIn) throw new Error('killed')
  }
  return { total: sum.total, seen }
}
const logged = () => readMetrics(join(folder, 'metrics.jsonl')).map(row => [row.step, row['total']])
const rollouts = () => [...readJsonl<{ step: number }>(join(folder, 'rollouts.jsonl'))].map(row => row.step)
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i)
// 0, 0+1, 0+1+2, …
const totals = upTo(10).map(step => [step, (step * (step + 1)) / 2])

describe('Run', () => {
  it('resumes at the newest checkpoint, its logs cut back to it', async () => {
    await expect(tenSteps({ checkpointEvery: 3 }, 7)).rejects.toThrow('killed')
    expect(rollouts()).toEqual(upTo(8))
    expect(await tenSteps({ checkpointEvery: 3 })).toEqual({ total: 45, seen: [6, 7, 8, 9] })
    expect(logged()).toEqual(totals)
    expect(rollouts()).toEqual(upTo(10))
  })

  it('starts anew, with empty logs, where no checkpoint was made', async () => {
    await expect(tenSteps({}, 7)).rejects.toThrow('killed')
    expect(await tenSteps({})).toEqual({ total: 45, seen: upTo(10) })
    expect(logged()).toEqual(totals)
  })

  it('cuts off a line that was being written when the process died', async () => {
    await expect(tenSteps({ checkpointEvery: 4 }, 5)).rejects.toThrow('killed')
    appendFileSync(join(folder, 'metrics.jsonl'), '{"step":6,"tot')
    await tenSteps({ checkpointEvery: 4 })
    expect(logged()).toEqual(totals)
  })

  it('asked to stop, checkpoints and throws Interrupted between two steps', async () => {
    const stop = new AbortController()
    const onProgress = (done: number) => done === 4 && stop.abort()
    const stopped = tenSteps({ signal: stop.signal, onProgress })
    await expect(stopped).rejects.toThrow(Interrupted)
    await expect(stopped).rejects.toThrow('stopped after step 4 of 10; start again to go on from there')
    expect(existsSync(join(folder, 'checkpoints', 'step-00000004'))).toBe(true)
    expect(await tenSteps({})).toEqual({ total: 45, seen: [4, 5, 6, 7, 8, 9] })
    expect(logged()).toEqual(totals)
  })

  it('asked to stop during the last step, is simply done', async () => {
    const stop = new AbortController()
    const onProgress = (done: number) => done === 10 && stop.abort()
    expect((await tenSteps({ signal: stop.signal, onProgress })).total).toBe(45)
  })

  it('once finished yields nothing, and gives the owners their last state', async () => {
    await tenSteps({})
    const before = readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
    expect(await tenSteps({})).toEqual({ total: 45, seen: [] })
    expect(readFileSync(join(folder, 'metrics.jsonl'), 'utf8')).toBe(before)
  })

  it('tells progress before the first step and after each, with the note of its log', async () => {
    const told: unknown[] = []
    const run = new Run({ onProgress: (...report) => told.push(report) })
    for await (const step of run.steps(2, {})) run.log(step, {}, `note ${step}`)
    expect(told).toEqual([
      [0, 2],
      [1, 2, 'note 0'],
      [2, 2, 'note 1'],
    ])
  })

  it('without a folder writes nothing and keeps no rollouts', async () => {
    const run = new Run()
    expect([run.keepsRollouts, new Run({ folder }).keepsRollouts]).toEqual([false, true])
    const seen: number[] = []
    for await (const step of run.steps(3, { sum: new Sum() })) {
      run.log(step, { x: 1 })
      run.logRollout({ step })
      seen.push(step)
    }
    expect(seen).toEqual([0, 1, 2])
  })

  it('lets timers and signals in between two steps', async () => {
    let turned = 0
    const timer = setInterval(() => turned++, 0)
    for await (const _ of new Run().steps(50, {})) for (const end = performance.now() + 2; performance.now() < end; );
    clearInterval(timer)
    expect(turned).toBeGreaterThan(10)
  })
})
