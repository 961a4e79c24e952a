import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { metricCurves } from './curves.js'
import { renderReport } from './html.js'
import type { ArmRow, ReportData } from './report-data.js'

const ATTACK = '</script><img src=x onerror=alert(1)>&"\'<!-- \u202etxt.exe\u0000'

const arm = (over: Partial<ArmRow> = {}): ArmRow => ({
  name: 'FG-PPO',
  win_rate: 51.25,
  standard_error: 1.8,
  n_total: 805,
  avg_length: 120.4,
  kl: 3.456,
  defects: { 'wrong value': 30, rude: 10 },
  seconds: 125,
  ...over,
})

const report = (over: Partial<ReportData> = {}): string =>
  renderReport({
    title: 'Run',
    createdAt: '2026-01-02',
    arms: [arm()],
    curves: [],
    heats: [],
    edits: [],
    rollouts: [],
    config: '',
    ...over,
  })

const embedded = (page: string) =>
  JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)![1]!)

describe('report', () => {
  it('is one file that asks for nothing and runs only its own script', () => {
    const page = report({ subtitle: 'see' })
    expect(page).not.toMatch(/<link|<iframe|@import|url\(|\ssrc=/)
    const script = /<script>(.*?)<\/script>/s.exec(page)![1]!
    const hash = createHash('sha256').update(script).digest('base64')
    expect(page).toContain(`default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'`)
    expect(() => new Function(script)).not.toThrow()
  })

  it('shows every text as text, wherever it stands', () => {
    const page = report({
      title: ATTACK,
      subtitle: ATTACK,
      createdAt: ATTACK,
      arms: [arm({ name: ATTACK, question: ATTACK, note: ATTACK, defects: { [ATTACK]: 1 } })],
      facts: [{ label: ATTACK, value: ATTACK }],
      tables: [{ title: ATTACK, note: ATTACK, columns: [ATTACK], rows: [[ATTACK]] }],
      curves: [
        {
          metric: ATTACK,
          title: ATTACK,
          unit: ATTACK,
          series: [
            {
              name: ATTACK,
              points: [
                [0, 1],
                [1, 2],
              ],
            },
          ],
        },
      ],
      heats: [{ model: ATTACK, prompt: ATTACK, tokens: [{ text: ATTACK, reward: -1 }], total: -1, note: ATTACK }],
      edits: [{ prompt: ATTACK, segments: [{ text: ATTACK, kind: 'deleted' }], note: ATTACK }],
      rollouts: [{ arm: ATTACK, step: 1, prompt: ATTACK, response: ATTACK, reward: 1, kl: 0, length: 3 }],
      config: ATTACK,
    })
    expect(page).not.toContain('<img')
    expect(page).not.toContain('\u202e')
    expect(page).not.toContain('\u0000')
    expect(page.match(/<\/script>/g)).toHaveLength(2)
    expect(page).toContain(
      '&#60;/script&#62;&#60;img src=x onerror=alert(1)&#62;&#38;&#34;&#39;&#60;!-- ⟨U+202E⟩txt.exe⟨U+0000⟩',
    )
    expect(embedded(page).rollouts[0].response).toBe(ATTACK.replace('\u202e', '⟨U+202E⟩').replace('\u0000', '⟨U+0000⟩'))
  })

  it('shows the numbers of each arm, its interval and its failure', () => {
    const page = report({ arms: [arm(), arm({ name: 'SFT', win_rate: 40, note: 'lost to all', repeats: 1.257 })] })
    expect(page).toContain('<b>51.3</b> ± 1.8')
    // 51.25 ± 1.96 · 1.8
    expect(page).toContain('95 % interval 47.7 to 54.8')
    expect(page).toContain('<span class="why">lost to all</span>')
    expect(page).toContain('<td class="n">1.26</td>')
    expect(page).toContain('2m05s')
    expect(page).toMatch(/<tr class="best"><td><b>FG-PPO/)
    expect(page).toContain('title="wrong value: 30"')
    // The most defects of all arms, 40, fill the bar: 30 of them are three quarters.
    expect(page).toContain('width:75.00%')
  })

  it('keeps its sections to what there is', () => {
    const page = report()
    expect(page).toContain('id="arms"')
    for (const id of ['curves', 'heats', 'edits', 'rollouts', 'config']) expect(page).not.toContain(`id="${id}"`)
    expect(report({ arms: [arm({ win_rate: Number.NaN })] })).toContain('<b>–</b>')
  })

  it('draws a line for each arm, at the places its numbers say', () => {
    const curves = metricCurves(
      [
        {
          name: 'a',
          rows: [
            { step: 0, 'objective/kl': 0 },
            { step: 10, 'objective/kl': 10 },
            { step: 20, lr: 1 },
          ],
        },
        { name: 'b', rows: [{ step: 0, lr: 1 }] },
      ],
      ['objective/kl', 'absent'],
    )
    expect(curves).toEqual([
      {
        metric: 'objective/kl',
        title: 'KL to the reference',
        unit: 'nats per reply',
        series: [
          {
            name: 'a',
            points: [
              [0, 0],
              [10, 10],
            ],
          },
        ],
      },
    ])
    // The plot spans x 56…508 and, upwards, y 194…10.
    expect(report({ curves })).toContain('<path d="M56.0 194.0L508.0 10.0"/>')
  })

  it('colours tokens by their reward and says the number', () => {
    const tokens = [
      { text: 'good', reward: 1 },
      { text: ' bad', reward: -0.5 },
    ]
    const page = report({ heats: [{ model: 'token', prompt: 'p', tokens, total: 0.5 }] })
    expect(page).toContain('<span class="tok" style="--h:1.00" data-r="1">good</span>')
    expect(page).toContain('<span class="tok neg" style="--h:0.50" data-r="−0.5"> bad</span>')
  })

  it('strikes what was deleted and underlines what was inserted', () => {
    const page = report({
      edits: [
        {
          prompt: 'p',
          segments: [
            { text: 'at ', kind: 'kept' },
            { text: '8', kind: 'deleted' },
            { text: '9', kind: 'inserted' },
          ],
        },
      ],
    })
    expect(page).toContain('<span>at </span><del>8</del><ins>9</ins>')
  })
})
