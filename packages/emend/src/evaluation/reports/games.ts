/** A page to read the games of an evaluation side by side: one HTML file that needs nothing else. */

import { createHash } from 'node:crypto'
import type { Annotation } from '../annotations.js'
import { joinByInstruction } from '../outputs.js'
import { GAMES_SCRIPT } from './games-script.js'
import { html, scriptJson } from './markup.js'
import { PAGE_STYLE } from './page-style.js'
import type { Fact } from './report-data.js'

/** What the page shows. */
export interface GamesReport {
  readonly title: string
  /** As it is to be printed. */
  readonly createdAt: string
  readonly facts: readonly Fact[]
  readonly annotations: readonly Annotation[]
  /** Judgements of another model on the same instructions. */
  readonly against?: readonly Annotation[]
}

const STYLE = `
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); gap: 4px 24px } .side { min-width: 0; margin-top: 10px }
.side .text { line-height: 1.5; max-height: 40em; overflow: auto } .outcome { font-weight: 600 } .outcome.won { color: color-mix(in srgb, rgb(var(--green)) 75%, var(--ink)) } .outcome.lost { color: color-mix(in srgb, rgb(var(--red)) 75%, var(--ink)) }
.controls label { max-width: 100% } select { max-width: 100% } .card header > *, dd, h1 { overflow-wrap: anywhere; min-width: 0 }
input { max-width: 100%; font: inherit; font-size: 14px; color: inherit; background: var(--panel); border: 1px solid var(--rule); border-radius: 6px; padding: 4px 10px }`

/**
 * Renders the page. It makes no request (its content security policy forbids any) and runs no script but its own: whatever stands
 * in instructions, outputs and judgements is shown as text, controls and bidirectional marks as `⟨U+202E⟩`.
 */
export function renderGames({ title, createdAt, facts, annotations, against }: GamesReport): string {
  const partner = new Map(against && joinByInstruction(annotations, against).pairs)
  const first = annotations[0]
  const names = [
    first?.generator_1 ?? 'reference',
    first?.generator_2 ?? 'model',
    against?.[0]?.generator_2 ?? 'the other model',
  ]
  if (names[1] === names[2]) names[2] += ' (against)'
  const games = annotations.map((game, i) => {
    const there = partner.get(game)
    return {
      n: i + 1,
      instruction: game.instruction,
      reference: game.output_1,
      model: game.output_2,
      preference: drawAs(game.preference),
      dataset: game.dataset,
      order: game.order,
      failure: game.failure,
      raw: game.raw_completion,
      ...(there && { there: { output: there.output_2, preference: drawAs(there.preference) } }),
    }
  })
  const hash = createHash('sha256').update(GAMES_SCRIPT).digest('base64')
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`
  const told = facts.map(({ label, value }) => `<div><dt>${html(label)}</dt><dd>${html(value)}</dd></div>`).join('')
  const outcomes = (id: string, name: string, hidden = false) =>
    `<label${hidden ? ' hidden' : ''}>${html(name)} <select id="games-${id}"><option value="">any outcome</option><option value="won">won</option><option value="lost">lost</option><option value="draw">draw</option><option value="none">no judgement</option></select></label>`
  const orders = [
    ['file up', 'as in the file'],
    ['preference down', 'clearest wins first'],
    ['preference up', 'clearest losses first'],
    ['length down', 'longest against the reference first'],
    ['length up', 'shortest against the reference first'],
    ...(against
      ? [
          ['difference down', `better than ${names[2]} first`],
          ['difference up', `worse than ${names[2]} first`],
        ]
      : []),
  ] as [string, string][]
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="Emend"><title>${html(title)}</title>
<style>${PAGE_STYLE}${STYLE}</style></head>
<body><main>
<h1>${html(title)}</h1>
<p class="soft"><small>${html(createdAt)}</small></p>
<dl>${told}</dl>
<noscript><p class="soft">The games need a script to be shown; the same records stand in the annotations file.</p></noscript>
<div class="controls">${outcomes('outcome', names[1]!)}${outcomes('other', names[2]!, !against)}
<label>set <select id="games-dataset"><option value="">all</option></select></label>
<label>sort by <select id="games-sort">${orders.map(([value, name]) => `<option value="${value}">${html(name)}</option>`).join('')}</select></label>
<label>find <input id="games-search" type="search"></label><small id="games-count"></small></div>
<div id="games-list"></div><button class="more" id="games-more" hidden>Show more</button>
</main>
<script type="application/json" id="data">${scriptJson({ names, games })}</script>
<script>${GAMES_SCRIPT}</script>
</body></html>
`
}

/** Older files write a draw as 0. */
const drawAs = (preference: number | null) => (preference === 0 ? 1.5 : preference)
