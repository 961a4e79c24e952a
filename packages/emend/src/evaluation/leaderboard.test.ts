import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readLeaderboard, updateLeaderboard } from './leaderboard.js'
import { winRate } from './winrate.js'

const folder = mkdtempSync(join(tmpdir(), 'emend-leaderboard-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Rows as AlpacaEval's own files have them. */
const PUBLISHED = `,win_rate,standard_error,n_wins,n_wins_base,n_draws,n_total,mode,avg_length,length_controlled_winrate
gpt4_turbo,97.69900497512438,0.5104849118311993,783,16,5,804,minimal,2049,50.0
text_davinci_003,50.0,0.0,0,0,805,805,minimal,307,
phi-2,30.663329161451813,1.6056202651534168,234,543,22,799,community,626,1.5
`
const row = winRate([2, 2, 1, 1.5], ['aa', 'bb', 'cc', 'dd'])
// Scores 1 1 0 ½: mean 62.5; deviations² in points 1406.25 ×2, 3906.25, 156.25 = 6875; SE √(6875/3/4)
const se = String(row.standard_error)

describe('leaderboard', () => {
  it('is made, best first, a row replaced', () => {
    const path = join(folder, 'new', 'leaderboard.csv')
    updateLeaderboard(path, 'one, "two"', row)
    updateLeaderboard(path, 'better', winRate([2, 2], ['x', 'y']))
    updateLeaderboard(path, 'single', winRate([1], ['x']))
    updateLeaderboard(path, 'better', winRate([2, 1.5], ['xyz', 'y']))
    expect(Number(se)).toBeCloseTo(Math.sqrt(6875 / 12), 12)
    expect(readFileSync(path, 'utf8')).toBe(
      `,win_rate,standard_error,n_wins,n_wins_base,n_draws,n_total,discrete_win_rate,avg_length\n` +
        `better,75,25,1,0,1,2,75,2\n` +
        `"one, ""two""",62.5,${se},2,1,1,4,62.5,2\n` +
        `single,0,,0,1,0,1,0,1\n`,
    )
    expect(readdirSync(join(folder, 'new'))).toEqual(['leaderboard.csv'])
  })

  it("keeps AlpacaEval's rows and columns as they stand", () => {
    const path = join(folder, 'published.csv')
    writeFileSync(path, PUBLISHED)
    expect(updateLeaderboard(path, 'mine', row)).toEqual({ place: 2, of: 4 })
    updateLeaderboard(path, 'phi-2', row)
    expect(readFileSync(path, 'utf8').split('\n')).toEqual([
      ',win_rate,standard_error,n_wins,n_wins_base,n_draws,n_total,mode,avg_length,length_controlled_winrate,discrete_win_rate',
      'gpt4_turbo,97.69900497512438,0.5104849118311993,783,16,5,804,minimal,2049,50.0,',
      `mine,62.5,${se},2,1,1,4,community,2,,62.5`,
      // Its old length-controlled rate was of other judgements.
      `phi-2,62.5,${se},2,1,1,4,community,2,,62.5`,
      'text_davinci_003,50.0,0.0,0,0,805,805,minimal,307,,',
      '',
    ])
  })

  it.each([
    [
      'name;win_rate\na;1\n',
      ":1: not a leaderboard: expected a column win_rate after the model's name, got name;win_rate",
    ],
    ['', ":1: not a leaderboard: expected a column win_rate after the model's name, got "],
    [',win_rate\na,1\nb,none\n', ':3: win_rate: expected a number, got "none"'],
    [',win_rate\na,1,2\n', ': not a leaderboard: Invalid Record Length'],
    [',win_rate\n"a,1\n', ': not a leaderboard: Quote Not Closed'],
  ])('%j is refused by what is wrong', (content, message) => {
    const path = join(folder, 'bad.csv')
    writeFileSync(path, content)
    expect(() => readLeaderboard(path)).toThrow(`${path}${message}`)
    expect(() => updateLeaderboard(path, 'x', row)).toThrow(path)
    expect(readFileSync(path, 'utf8')).toBe(content)
  })
})
