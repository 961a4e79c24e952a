import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type GamesReport, renderGames } from './games.js'

const ATTACK = '</script><img src=x onerror=alert(1)>&"\'<!-- \u202etxt.exe\u0000'
const game = {
  instruction: 'p',
  output_1: 'reference text',
  output_2: 'model text',
  generator_1: 'ref',
  generator_2: 'new',
  preference: 2,
}
const page = (over: Partial<GamesReport> = {}) =>
  renderGames({ title: 'T', createdAt: '2026-01-02', facts: [], annotations: [game], ...over })
const embedded = (text: string) =>
  JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/s.exec(text)![1]!)

describe('the page of games', () => {
  it('is one file that asks for nothing and runs only its own script', () => {
    const text = page()
    expect(text).not.toMatch(/<link|<iframe|@import|url\(|\ssrc=/)
    const script = /<script>(.*?)<\/script>/s.exec(text)![1]!
    const hash = createHash('sha256').update(script).digest('base64')
    expect(text).toContain(`default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'`)
    expect(() => new Function(script)).not.toThrow()
    // Every element that the script looks for is there.
    for (const [, id] of script.matchAll(/byId\('([\w-]+)'\)/g)) expect(text, id).toContain(`id="${id}"`)
    for (const id of ['outcome', 'other', 'dataset', 'sort', 'search']) expect(text).toContain(`id="games-${id}"`)
  })

  it('shows every text as text, wherever it stands', () => {
    const hostile = {
      ...game,
      instruction: ATTACK,
      output_1: ATTACK,
      output_2: ATTACK,
      generator_1: ATTACK,
      generator_2: ATTACK,
      dataset: ATTACK,
      raw_completion: ATTACK,
      order: ATTACK,
      failure: ATTACK,
    }
    const text = page({
      title: ATTACK,
      createdAt: ATTACK,
      facts: [{ label: ATTACK, value: ATTACK }],
      annotations: [hostile],
      against: [{ ...hostile, generator_2: `${ATTACK}2` }],
    })
    expect(text).not.toContain('<img')
    expect(text).not.toContain('\u202e')
    expect(text).not.toContain('\u0000')
    expect(text.match(/<\/script>/g)).toHaveLength(2)
    const shown = ATTACK.replace('\u202e', '⟨U+202E⟩').replace('\u0000', '⟨U+0000⟩')
    expect(embedded(text).games[0]).toMatchObject({ model: shown, raw: shown, there: { output: shown } })
  })

  it('holds each game beside that of the other model on the same instruction; a draw of old is a draw', () => {
    const annotations = [
      game,
      { ...game, instruction: 'q', preference: 0 },
      { ...game, instruction: 'r', preference: null },
    ]
    const against = [{ ...game, instruction: 'q', output_2: 'other', preference: 1, generator_2: 'old' }]
    const { names, games } = embedded(page({ annotations, against }))
    expect(names).toEqual(['ref', 'new', 'old'])
    expect(games.map((one: { preference: number }) => one.preference)).toEqual([2, 1.5, null])
    expect(games.map((one: { there?: unknown }) => one.there)).toEqual([
      undefined,
      { output: 'other', preference: 1 },
      undefined,
    ])
  })
})
