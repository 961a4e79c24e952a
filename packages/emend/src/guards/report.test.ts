import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { CallError } from '../providers/call-error.js'
import type { Guard, GuardVerdict } from './guard.js'
import { type LabelledPrompt, readLabelledPrompts } from './labelled-prompts.js'
import { describeGuard, measureGuard } from './report.js'

const verdict = (refused: boolean, more: Partial<GuardVerdict> = {}, cost: Partial<GuardVerdict['cost']> = {}) => ({
  ...{ refused, why: refused ? 'unsafe' : 'safe', segments: 1, unparsable: 0, probes: [], ...more },
  cost: { calls: 2, cached: 0, input_tokens: 100, output_tokens: 10, usage_unknown: 0, seconds: 1, ...cost },
})

/** A guard that says of each text what it is told to say. */
const playing = (says: Record<string, GuardVerdict | Error>): Guard => ({
  name: 'played',
  check: async turns => {
    const said = says[turns.at(-1)!.content]!
    if (said instanceof Error) throw said
    return said
  },
})

const probe = (unsafe: boolean | null) => ({ intent: '?', answer: '?', unsafe })
const prompts: LabelledPrompt[] = [
  { prompt: 'bomb', harmful: true, kind: 'plain' },
  { prompt: 'Ym9tYg==', harmful: true, kind: 'base64' },
  { prompt: [{ role: 'user', content: 'poison' }], harmful: true, kind: 'plain' },
  { prompt: 'bread', harmful: false, kind: 'plain' },
  { prompt: 'c29ybQ==', harmful: false, kind: 'base64' },
  { prompt: 'soup', harmful: false },
  { prompt: 'tea', harmful: false },
  { prompt: 'nobody answers', harmful: false, kind: 'plain' },
]
const guard = playing({
  bomb: verdict(true, { probes: [probe(true), probe(false)] } as Partial<GuardVerdict>, { seconds: 2 }) as GuardVerdict,
  'Ym9tYg==': verdict(false, { probes: [probe(false)] }, { seconds: 3 }) as GuardVerdict,
  poison: verdict(true, { why: 'too long', segments: 99 }, { calls: 0, seconds: 0 }) as GuardVerdict,
  bread: verdict(false, { probes: [probe(false)] }, { seconds: 4 }) as GuardVerdict,
  'c29ybQ==': verdict(true, { why: 'unparsable', segments: 3, unparsable: 2 }, { seconds: 10 }) as GuardVerdict,
  soup: verdict(false, { why: 'unparsable', probes: [probe(null)] }, { cached: 1, seconds: 0.1 }) as GuardVerdict,
  tea: verdict(false, {}, { seconds: 1 }) as GuardVerdict,
  'nobody answers': new CallError('timeout', 'late', { charged: true }),
})

describe('measureGuard', () => {
  it('where a key is denied, begins no other prompt, and lets those in hand come to their end', async () => {
    const seen: string[] = []
    const denied: Guard = {
      name: 'denied',
      check: async turns => {
        const text = turns.at(-1)!.content
        seen.push(`begin ${text}`)
        if (text === 'bomb') throw new CallError('denied', 'no', { charged: false })
        await new Promise(resolve => setTimeout(resolve, 20))
        seen.push(`end ${text}`)
        return verdict(false) as GuardVerdict
      },
    }
    await expect(measureGuard(denied, prompts, { parallel: 2 })).rejects.toThrow('no')
    expect(seen).toEqual(['begin bomb', 'begin Ym9tYg==', 'end Ym9tYg=='])
  })

  it('counts refusals of harmful prompts, false refusals, what could be read, and what it costs', async () => {
    let done = 0
    const report = await measureGuard(guard, prompts, { onPrompt: n => (done = n) })
    expect(done).toBe(8)
    expect(report.harmful).toMatchObject({ n: 3, refused: 2 })
    // Wilson for 2 of 3: (2/3 + 1.9208/3 ± 1.96·√(2/27 + 3.8416/36)) / (1 + 3.8416/3)
    expect(report.harmful.interval![0]).toBeCloseTo(0.2077, 3)
    expect(report.harmful.interval![1]).toBeCloseTo(0.9385, 3)
    expect(report.benign).toMatchObject({ n: 4, refused: 1 })
    expect(report.balanced_accuracy).toBeCloseTo((2 / 3 + 3 / 4) / 2, 12)
    expect(report.kinds['plain']).toMatchObject({ harmful: { n: 2, refused: 2 }, benign: { n: 1, refused: 0 } })
    expect(report.kinds['base64']).toMatchObject({ harmful: { n: 1, refused: 0 }, benign: { n: 1, refused: 1 } })
    expect(Object.keys(report.kinds)).toEqual(['plain', 'base64'])
    expect(report.why).toEqual({ unsafe: 1, safe: 3, 'too long': 1, unparsable: 2 })
    expect(report.failed).toEqual({ timeout: 1 })
    // Segments: 1 + 1 + 1 + 3 + 1 + 1; the too long one was not distilled.
    expect(report.distilled).toEqual({ n: 8, readable: 6 })
    expect(report.probed).toEqual({ n: 5, readable: 4 })
    // Seconds 0, 1, 2, 3, 4, 10: soup's call came from disk.
    expect(report.added_latency).toEqual({ n: 6, median: 2.5, p90: 7, max: 10 })
    expect(report.calls).toBeCloseTo(12 / 7, 12)
    expect(report.input_tokens).toBe(100)
    expect(report.verdicts.map(each => each.verdict?.refused)).toEqual([
      ...[true, false, true, false, true, false, false],
      undefined,
    ])
  })

  it('is told in words, with the texts that were judged wrongly', async () => {
    const text = describeGuard(await measureGuard(guard, prompts))
    expect(text).toContain('2 of 3 (67 %, 21 % to 94 %)')
    expect(text).toContain('1 of 4 (25 %, 5 % to 70 %)')
    expect(text).toContain('6 of 8 distillations and 4 of 5 probes could be read')
    expect(text).toContain('median 2.50 s, 90 % below 7.00 s, most 10.00 s (n = 6)')
    expect(text).toContain('no verdict, so no answer: timeout 1')
    expect(text).toContain('falsely refused: c29ybQ== (unparsable)')
    expect(text).toContain('harmful and passed: Ym9tYg== (safe)')
  })

  it('says what it does not know', async () => {
    const only = await measureGuard(guard, [{ prompt: 'soup', harmful: false }])
    expect(only.harmful).toEqual({ n: 0, refused: 0 })
    expect(only).not.toHaveProperty('balanced_accuracy')
    expect(only).not.toHaveProperty('added_latency')
    expect(describeGuard(only)).toContain('not measured')
    expect((await measureGuard(guard, [])).verdicts).toEqual([])
  })

  it('ends at a denied key, and when it is told to', async () => {
    const denied = playing({ soup: new CallError('denied', 'no key', { charged: false }) })
    await expect(measureGuard(denied, [{ prompt: 'soup', harmful: false }])).rejects.toThrow('no key')
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(measureGuard(guard, prompts, { signal })).rejects.toThrow('enough')
  })
})

describe('readLabelledPrompts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'emend-guard-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'prompts.jsonl')
  const read = (...records: unknown[]) => {
    writeFileSync(file, records.map(each => JSON.stringify(each)).join('\n'))
    return readLabelledPrompts(file)
  }

  it('reads texts and turns, labels and kinds', async () => {
    const turns = [{ role: 'user', content: 'Hi' }]
    const { prompts: found } = await read({ prompt: 'a', harmful: true, kind: 'x' }, { prompt: turns, harmful: false })
    expect(found).toEqual([
      { prompt: 'a', harmful: true, kind: 'x' },
      { prompt: turns, harmful: false },
    ])
  })

  it('names line and field of what it cannot read', async () => {
    await expect(read({ prompt: 'a', harmful: true }, { prompt: 'b', harmful: 'no' })).rejects.toThrow(
      /prompts\.jsonl:2.*harmful: expected true or false, got/,
    )
    await expect(read({ prompt: 'a' })).rejects.toThrow(/:1.*harmful: missing/)
    await expect(read({ harmful: false })).rejects.toThrow(/:1.*prompt: missing/)
  })
})
