import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { testData } from '../text/test-data.js'
import { annotatedWinRate, readAnnotations, writeAnnotations } from './annotations.js'
import { lengthAdjusted } from './length-adjusted.js'
import { winRate } from './winrate.js'

const folder = mkdtempSync(join(tmpdir(), 'emend-annotations-'))
afterAll(() => rmSync(folder, { recursive: true }))
function file(name: string, content: string | Buffer): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}
const row = { instruction: 'i', output_1: 'x', output_2: 'y', annotator: 'judge', preference: 1.25, price: 3 }

/** By AlpacaEval's own get_winrate (goldens/alpaca-eval/make.py). */
interface Golden {
  readonly style: string
  readonly content: string
  readonly row: Readonly<Record<string, number | null>>
  readonly length?: { win_rate: number; standard_error: number; slope: number }
}
const goldenFile = (name: string) =>
  JSON.parse(readFileSync(fileURLToPath(new URL(`../../goldens/alpaca-eval/${name}`, import.meta.url)), 'utf8'))
const goldens: Golden[] = goldenFile('winrates.json')
type Published = [string, string, number, number, number, number, number, number]
const leaderboards: Published[] = goldenFile('published.json')

describe("AlpacaEval's own statistics", () => {
  it.each(goldens.map((golden, i) => [i, golden.style, golden] as const))('of file %i (%s)', async (i, _, golden) => {
    const annotations = await readAnnotations(file(`${i}.json`, golden.content))
    const found: Record<string, unknown> = { ...annotatedWinRate(annotations) }
    for (const [name, value] of Object.entries(golden.row))
      expect(found[name], name).toEqual(value === null ? Number.NaN : expect.closeTo(value, 9))
    if (golden.length)
      expect(lengthAdjusted(annotations)).toEqual({
        win_rate: expect.closeTo(golden.length.win_rate, 8),
        standard_error: expect.closeTo(golden.length.standard_error, 8),
        slope: expect.closeTo(golden.length.slope, 8),
      })
  })

  it('of the counts of every leaderboard whose judge gives no fractions are its published rates', () => {
    // Three rows of contributors stand there with another standard error than their own counts give.
    const odd = ['humpback-llama2-70b', 'humpback-llama-65b', 'baize-v2-7b']
    for (const [board, model, wins, losses, draws, total, rate, error] of leaderboards) {
      const times = (n: number, preference: number) => new Array<number>(n).fill(preference)
      const row = winRate([...times(wins, 2), ...times(losses, 1), ...times(draws, 0), null])
      expect(row, model).toMatchObject({ n_wins: wins, n_wins_base: losses, n_draws: draws, n_total: total })
      expect(Math.abs(row.win_rate - rate), model).toBeLessThan(1e-6)
      if (board !== 'alpaca_eval_gpt4_leaderboard' || !odd.includes(model))
        expect(Math.abs(row.standard_error - error), model).toBeLessThan(1e-6)
    }
    expect(leaderboards).toHaveLength(180)
  })

  const published = testData('alpaca-eval', 'alpaca-7b.annotations.json')
  it.skipIf(!published)('of alpaca-7b are the published row', async () => {
    const annotations = await readAnnotations(published!)
    expect(annotations[0]).toMatchObject({ generator_1: 'text_davinci_003', dataset: 'helpful_base' })
    expect(annotatedWinRate(annotations)).toEqual({
      win_rate: expect.closeTo(26.459627329192543, 9),
      standard_error: expect.closeTo(1.535711469748, 9),
      n_wins: 205,
      n_wins_base: 584,
      n_draws: 16,
      n_total: 805,
      n_unjudged: 0,
      discrete_win_rate: expect.closeTo(26.459627329192543, 9), // no fractions: (205 + 8) / 805
      avg_length: 396,
    })
  })
})

describe('annotation files', () => {
  it('keep what the statistics need', async () => {
    const rows = [row, { ...row, preference: null }, { ...row, preference: 0 }, { ...row, preference: -1 }]
    const annotations = await readAnnotations(
      file('kept.json', JSON.stringify([...rows, { ...row, preference: undefined }])),
    )
    expect(annotations[0]).toEqual({
      instruction: 'i',
      output_1: 'x',
      output_2: 'y',
      annotator: 'judge',
      preference: 1.25,
    })
    expect(annotations.map(a => a.preference)).toEqual([1.25, null, 0, null, null])
  })

  it("may hold Python's NaN, but in texts it stays as it is", async () => {
    const content = `[\n{"instruction": "say \\"NaN\\", -Infinity", "output_1": "NaN", "output_2": "\\\\", "preference": NaN, "price": -Infinity},\n${JSON.stringify(row)}]`
    expect((await readAnnotations(file('nan.json', content)))[0]).toEqual({
      instruction: 'say "NaN", -Infinity',
      output_1: 'NaN',
      output_2: '\\',
      preference: null,
    })
  })

  it('are told by how they begin, not by their name', async () => {
    const lines = `\n${JSON.stringify(row)}\n\n${JSON.stringify({ ...row, preference: 2 })}\n`
    for (const path of [
      file('lines.json', lines),
      file('lines.json.gz', gzipSync(lines)),
      file('array.jsonl', `\ufeff [${JSON.stringify(row)},\n${JSON.stringify({ ...row, preference: 2 })}]`),
    ])
      expect((await readAnnotations(path)).map(a => a.preference)).toEqual([1.25, 2])
  })

  it.each([
    [
      JSON.stringify([row, { ...row, preference: 3 }]),
      ':2: preference: expected null, -1, 0 or a number in [1, 2], got number 3',
    ],
    [
      JSON.stringify([row, { ...row, preference: '1' }]),
      ':2: preference: expected null, -1, 0 or a number in [1, 2], got string "1"',
    ],
    [
      JSON.stringify([row, { ...row, output_2: undefined }]),
      ':2: output_2: missing: the record has instruction, output_1, annotator, preference, price',
    ],
    [JSON.stringify([row, { ...row, output_1: null }]), ':2: output_1: expected text, got null'],
    [JSON.stringify([row, 7]), ':2: expected an object of fields, got number 7'],
    [
      `${JSON.stringify(row)}\n{"instruction": }`,
      ':2: column 17: broken JSON: expected a value, got "}"; mend the line or remove it',
    ],
    [
      `[${JSON.stringify(row)},\n{"instruction": nan}]`,
      ':2: column 17: broken JSON: expected a value, got "n"; mend the line or remove it',
    ],
    [`[${JSON.stringify(row)}`, 'broken JSON: expected "," or "]", got the end'],
    ['[]', ': no judgements; expected at least one record'],
    ['', ': no judgements; expected at least one record'],
    [JSON.stringify([{ ...row, preference: null }]), ': no judgements in 1 records: every preference is null'],
    [
      JSON.stringify([{ ...row, preference: undefined, rating: 2 }]),
      ': no judgements in 1 records: no record has the field preference',
    ],
  ])('%#: what is wrong is named', async (content, message) => {
    const path = file('bad.json', content)
    await expect(readAnnotations(path)).rejects.toThrow(path)
    await expect(readAnnotations(path)).rejects.toThrow(message)
  })

  it('written are read again, with what the judge was shown and said', async () => {
    const path = join(folder, 'made', 'annotations.json')
    const { price: _, ...annotation } = { ...row, order: '2, 1', raw_completion: 'Better: A', failure: 'none' }
    writeAnnotations(path, [annotation])
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual([annotation])
    expect(await readAnnotations(path)).toEqual([annotation])
    // AlpacaEval keeps the provider's whole answer there.
    const other = { ...annotation, raw_completion: { text: 'm', logprobs: null } }
    expect((await readAnnotations(file('whole.json', JSON.stringify([other]))))[0]).not.toHaveProperty('raw_completion')
  })
})

describe('length-adjusted win rates', () => {
  const game = (n1: number, n2: number, preference: number | null) => ({
    output_1: 'x'.repeat(n1),
    output_2: 'x'.repeat(n2),
    preference,
  })

  it('are the plain rate where length says nothing', () => {
    // At either length 3 of 4 win: the slope is 0.
    const games = [1, 9].flatMap(n => [2, 2, 2, 1].map(preference => game(5, n, preference)))
    const found = lengthAdjusted(games)!
    expect(found.slope).toBeCloseTo(0, 12)
    expect(found.win_rate).toBeCloseTo(75, 10)
  })

  it('by hand for two lengths: log-odds halfway between', () => {
    // Longer replies win 9 of 10, shorter ones 5 of 10; Δ = ∓4, so the intercept is the mean of log 9 and log 1: √9 = 3 → 3/4
    const share = (n: number, wins: number) => Array.from({ length: 10 }, (_, i) => game(5, n, i < wins ? 2 : 1))
    const found = lengthAdjusted([...share(9, 9), ...share(1, 5)])!
    expect(found.win_rate).toBeCloseTo(75, 8)
    expect(found.slope).toBeLessThan(0)
    // Var(a) = ¼ (1/(10·0.9·0.1) + 1/(10·0.5·0.5)), exactly so since the model is saturated; times p(1 − p) = 3/16
    expect(found.standard_error).toBeCloseTo((100 * 3 * Math.sqrt(0.25 * (1 / 0.9 + 1 / 2.5))) / 16, 8)
  })

  it('do not exist where nothing can be told', () => {
    expect(lengthAdjusted([game(5, 1, 1), game(5, 9, 2)])).toBeUndefined()
    expect(lengthAdjusted([game(5, 5, 1), game(5, 5, 2), game(5, 5, 2)])).toBeUndefined()
    expect(lengthAdjusted([game(5, 1, 1), game(5, 2, 1), game(5, 9, 2), game(5, 8, 2)])).toBeUndefined() // separable
    expect(lengthAdjusted([game(5, 1, 2), game(5, 2, 2), game(5, 9, 2)])).toBeUndefined() // all win
  })
})
