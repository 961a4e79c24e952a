import { appendFileSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { metricsDigest, RunFolder, readJsonl, readMetrics } from './run-folder.js'

let run: RunFolder
beforeEach(() => {
  run = new RunFolder(join(mkdtempSync(join(tmpdir(), 'emend-run-')), 'deep', 'run'))
})

describe('metrics log', () => {
  it('writes step first and the metrics by name', () => {
    run.metrics.append(3, { lr: 1e-5, 'objective/kl': 0.25 })
    run.metrics.append(4, { 'objective/kl': 0.5, episode: 512, lr: 0 })
    expect(readFileSync(run.metrics.path, 'utf8')).toBe(
      '{"step":3,"lr":0.00001,"objective/kl":0.25}\n{"step":4,"episode":512,"lr":0,"objective/kl":0.5}\n',
    )
    expect(readMetrics(run.metrics.path)[1]).toEqual({ step: 4, episode: 512, lr: 0, 'objective/kl': 0.5 })
  })

  it('goes back to where a checkpoint was taken, also in another process', () => {
    run.metrics.append(1, { loss: 2 })
    const position = run.metrics.position()
    expect(position).toBe(Buffer.byteLength('{"step":1,"loss":2}\n'))
    run.metrics.append(2, { loss: 1 })
    appendFileSync(run.metrics.path, '{"step":3,"lo')
    run.metrics.close()

    const again = new RunFolder(run.path)
    again.metrics.truncate(position)
    again.metrics.append(2, { loss: 1.5 })
    expect(readMetrics(run.metrics.path).map(row => row.loss)).toEqual([2, 1.5])
  })

  it('makes no file before the first line', () => {
    expect(run.metrics.position()).toBe(0)
    run.metrics.truncate(0)
    expect(existsSync(run.metrics.path)).toBe(false)
    expect(readMetrics(run.metrics.path)).toEqual([])
  })

  it('refuses a position that is not its own', () => {
    run.metrics.append(1, { loss: 2 })
    expect(() => run.metrics.truncate(21)).toThrow('holds 20 bytes, the checkpoint was taken at 21')
    expect(() => run.metrics.truncate(7)).toThrow('no line ends at byte 7')
    expect(readMetrics(run.metrics.path)).toHaveLength(1)
  })

  it('names the metric that is not finite and writes nothing', () => {
    expect(() => run.metrics.append(7, { loss: 1, 'loss/value_avg': Number.NaN })).toThrow(
      'metric loss/value_avg is NaN at step 7',
    )
    expect(existsSync(run.metrics.path)).toBe(false)
  })

  it('has one digest for runs that differ only in time', () => {
    run.metrics.append(1, { loss: 2, 'time/step': 0.2, 'throughput/tokens': 900 })
    const other = run.part('other')
    other.metrics.append(1, { loss: 2, 'time/step': 0.3 })
    const third = run.part('third')
    third.metrics.append(1, { loss: 2.5 })
    expect(metricsDigest(other.metrics.path)).toBe(metricsDigest(run.metrics.path))
    expect(metricsDigest(third.metrics.path)).not.toBe(metricsDigest(run.metrics.path))
  })
})

describe('rollout log', () => {
  it('keeps the order of keys, writes typed arrays as lists and holds any text', () => {
    run.rollouts.append({
      step: 1,
      prompt: 'a\n\u2028"',
      response_tokens: Int32Array.of(5, 6),
      values: [0.5],
      note: undefined,
    })
    expect(readFileSync(run.rollouts.path, 'utf8')).toBe(
      '{"step":1,"prompt":"a\\n\u2028\\"","response_tokens":[5,6],"values":[0.5]}\n',
    )
    expect([...readJsonl(run.rollouts.path)]).toEqual([
      { step: 1, prompt: 'a\n\u2028"', response_tokens: [5, 6], values: [0.5] },
    ])
  })

  it('names the place of a number that is not finite', () => {
    expect(() => run.rollouts.append({ step: 1, values: Float32Array.of(0, Number.NEGATIVE_INFINITY) })).toThrow(
      'values.1 is -Infinity, expected a finite number',
    )
  })
})

describe('readJsonl', () => {
  it('says which line is broken', () => {
    const path = run.write('broken.jsonl', '{"a":1}\r\n\n{"a":\n{"a":2}\n')
    expect(() => [...readJsonl(path)]).toThrow(/broken\.jsonl:3: not JSON/)
    writeFileSync(path, '{"a":1}\n[2]\n')
    expect(() => [...readJsonl(path)]).toThrow(/broken\.jsonl:2: expected a JSON object/)
  })

  it('reads characters that are cut by the end of a block', () => {
    const text = 'é😀'.repeat(300_000)
    const path = run.write('long.jsonl', `${JSON.stringify({ text })}\n{"text":"é"}`)
    expect([...readJsonl(path)].map(row => row.text)).toEqual([text, 'é'])
  })
})
