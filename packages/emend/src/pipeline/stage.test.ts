import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { Interrupted } from '../errors.js'
import type { ProgressReport } from '../progress.js'
import { assertDone, runStages, type Stage, type StageOptions } from './stage.js'
import { diamond } from './stage-child.fixture.js'

const bundle = mkdtempSync(join(tmpdir(), 'emend-stage-child-'))
let folder: string
let lines: string[]

// Node cannot run TypeScript by itself: the child's script is bundled first.
beforeAll(async () => {
  await build({
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: fileURLToPath(new URL('stage-child.fixture.ts', import.meta.url)),
      outDir: bundle,
      rollupOptions: { output: { entryFileNames: 'child.mjs' } },
    },
  })
})
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-stages-'))
  lines = []
})
afterEach(() => vi.unstubAllEnvs())

const run = (stages: readonly Stage[], options: Partial<StageOptions> = {}) =>
  runStages(stages, { folder, onLine: line => lines.push(line), signal: new AbortController().signal, ...options })
const children = (): Partial<StageOptions> => ({
  child: { entry: join(bundle, 'child.mjs'), args: stage => [folder, stage], execArgv: [] },
})
const statuses = (outcomes: Awaited<ReturnType<typeof run>>) => outcomes.map(({ status }) => status)
const journal = () => readFileSync(join(folder, 'journal'), 'utf8').trim().split('\n')

describe('in this process', () => {
  it('runs stages in the order their needs allow and passes results on', async () => {
    const outcomes = await run([...diamond(folder)].reverse())
    expect(outcomes.map(({ name }) => name)).toEqual(['last', 'right', 'left', 'first'])
    expect(outcomes[0]).toMatchObject({ status: 'done', result: { left: { counted: 10 } } })
    expect(JSON.parse(readFileSync(join(folder, 'left', 'stage.json'), 'utf8'))).toMatchObject({ name: 'left' })
  })

  it('skips what is done and does again what depends on a change', async () => {
    await run(diamond(folder))
    expect(statuses(await run(diamond(folder)))).toEqual(['skipped', 'skipped', 'skipped', 'skipped'])
    expect(lines).toContain('left: already done, skipped')
    writeFileSync(join(folder, 'left', 'stale'), 'of the old rate')
    expect(statuses(await run(diamond(folder, 2)))).toEqual(['skipped', 'done', 'skipped', 'done'])
    expect(existsSync(join(folder, 'left', 'stale'))).toBe(false)
  })

  it('counts files by their contents', async () => {
    const file = join(folder, 'pairs.jsonl')
    const stage: Stage = { name: 'reads', inputs: {}, files: [file], run: () => {} }
    writeFileSync(file, 'one')
    expect(statuses(await run([stage]))).toEqual(['done'])
    writeFileSync(file, 'one')
    expect(statuses(await run([stage]))).toEqual(['skipped'])
    writeFileSync(file, 'two')
    expect(statuses(await run([stage]))).toEqual(['done'])
  })

  it('stops what needs a failed stage, and nothing else', async () => {
    vi.stubEnv('RIGHT', 'throw')
    const outcomes = await run(diamond(folder))
    expect(statuses(outcomes)).toEqual(['done', 'done', 'failed', 'blocked'])
    expect(outcomes[2]!.error).toBe('TypeError: no such column')
    expect(outcomes[3]!.error).toBe('needs right, which failed')
    expect(() => assertDone(outcomes)).toThrow('stage right failed: TypeError: no such column')
    vi.stubEnv('RIGHT', '')
    expect(statuses(await run(diamond(folder)))).toEqual(['skipped', 'skipped', 'done', 'done'])
  })

  it('goes on from what an interrupted stage saved', async () => {
    const stop = new AbortController()
    const reports: ProgressReport[] = []
    const onProgress = (_: string, report: ProgressReport) => {
      reports.push(report)
      if (report.done === 3) stop.abort()
    }
    await expect(run(diamond(folder), { signal: stop.signal, onProgress })).rejects.toThrow(Interrupted)
    expect(readFileSync(join(folder, 'left', 'counter'), 'utf8')).toBe('4')
    expect(existsSync(join(folder, 'left', 'stage.json'))).toBe(false)
    reports.length = 0
    expect(statuses(await run(diamond(folder), { onProgress }))).toEqual(['skipped', 'done', 'done', 'done'])
    expect(reports.map(({ done }) => done)).toEqual([4, 5, 6, 7, 8, 9, 9])
    expect(reports.at(-1)).toMatchObject({ label: 'counting', total: 10, unit: 'count', finished: true })
  })

  it('refuses circles, twins, unknown needs, strange names and folders of others', async () => {
    const stage = (name: string, ...needs: string[]): Stage => ({ name, needs, inputs: {}, run: () => {} })
    await expect(run([stage('a', 'b'), stage('b', 'a')])).rejects.toThrow('in a circle: a → b → a')
    await expect(run([stage('a'), stage('a')])).rejects.toThrow("two stages are called 'a'")
    await expect(run([stage('reward'), stage('ppo', 'rewards')])).rejects.toThrow("did you mean 'reward'?")
    await expect(run([stage('../out')])).rejects.toThrow('cannot be a folder')
    await expect(run([stage('arms'), stage('arms/ppo')])).rejects.toThrow('would lie inside the folder of stage arms')
    mkdirSync(join(folder, 'a'))
    writeFileSync(join(folder, 'a', 'thesis.tex'), 'precious')
    expect((await run([stage('a')]))[0]!.error).toContain('holds files that no stage made')
    expect(readFileSync(join(folder, 'a', 'thesis.tex'), 'utf8')).toBe('precious')
  })
})

describe('in child processes', () => {
  it('runs independent stages side by side, each with its share of threads', async () => {
    vi.stubEnv('RIGHT', 'together')
    const reports: string[] = []
    const outcomes = await run(diamond(folder), {
      ...children(),
      concurrency: 2,
      threads: 1,
      onProgress: (_, report, stage) => reports.push(`${stage} ${report.label} ${report.done}/${report.total}`),
    })
    expect(statuses(outcomes)).toEqual(['done', 'done', 'done', 'done'])
    expect(outcomes[3]!.result).toEqual({ left: { counted: 10 } })
    expect(journal()).toContain('left begins, threads 1')
    expect(reports).toContain('left counting 9/10')
    expect(lines).toContain('right: right prints')
  })

  it.each([
    ['throw', 'TypeError: no such column'],
    ['die', 'its process was ended by SIGKILL'],
    ['exit', 'its process ended with code 3: terminate called'],
  ])('names the end of a stage that meets: %s', async (how, error) => {
    vi.stubEnv('RIGHT', how)
    const outcomes = await run(diamond(folder), children())
    expect(statuses(outcomes)).toEqual(['done', 'done', 'failed', 'blocked'])
    expect(outcomes[2]!.error).toBe(error)
  })

  it('passes Ctrl-C on, waits for the checkpoint and keeps what is done', async () => {
    vi.stubEnv('LEFT_MS', '20')
    const stop = new AbortController()
    const interrupted = run(diamond(folder), {
      ...children(),
      concurrency: 2,
      signal: stop.signal,
      onProgress: (_, { done }) => done === 2 && stop.abort(),
    })
    await expect(interrupted).rejects.toThrow(/still to do: left/)
    const saved = Number(readFileSync(join(folder, 'left', 'counter'), 'utf8'))
    expect(saved).toBeGreaterThanOrEqual(3)
    expect(saved).toBeLessThan(10)
    expect(existsSync(join(folder, 'first', 'stage.json'))).toBe(true)
    const outcomes = await run(diamond(folder), children())
    expect(statuses(outcomes).slice(0, 2)).toEqual(['skipped', 'done'])
  })

  it('takes over from a process that was killed in the middle', async () => {
    vi.stubEnv('LEFT_MS', '20')
    vi.stubEnv('RIGHT', '')
    const killed = await run(diamond(folder), {
      ...children(),
      onProgress: (_, { done }) => {
        const lock = join(folder, 'left', 'stage.lock')
        if (done === 2) process.kill(Number(readFileSync(lock, 'utf8').split(' ')[0]), 'SIGKILL')
      },
    })
    expect(killed[1]!.error).toBe('its process was ended by SIGKILL')
    expect(existsSync(join(folder, 'left', 'stage.lock'))).toBe(true)
    expect(statuses(await run(diamond(folder), children()))).toEqual(['skipped', 'done', 'skipped', 'done'])
    expect(journal().filter(line => line.startsWith('left begins'))).toHaveLength(2)
    rmSync(folder, { recursive: true })
  })
})
