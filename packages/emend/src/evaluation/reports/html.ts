/** The report: one HTML file that needs nothing else, in light and dark, readable without a script. */

import { createHash } from 'node:crypto'
import { formatSeconds } from '../../progress.js'
import { chart, colour, thin } from './chart.js'
import { fullColour, heat } from './heat.js'
import { figure, html, scriptJson } from './markup.js'
import { PAGE_SCRIPT } from './page-script.js'
import { PAGE_STYLE } from './page-style.js'
import type { ArmRow, Curve, Heat, RedLine, ReportData, ReportRollout, ReportTable } from './report-data.js'

/**
 * Renders a report. The page makes no request (its content security policy forbids any), and runs no script but its own:
 * whatever stands in prompts and replies is shown as text, controls and bidirectional marks as `⟨U+202E⟩`.
 */
export function renderReport(data: ReportData): string {
  const order = armOrder(data)
  const curves = data.curves.filter(({ series }) => series.some(({ points }) => points.length > 0))
  const sections = [
    section('arms', 'Results', data.arms.length > 0 && armTable(data.arms)),
    ...(data.tables ?? []).map((table, i) => section(`table-${i}`, table.title, plainTable(table))),
    section('curves', 'Curves', curves.length > 0 && charts(curves, order)),
    section('heats', 'Token rewards', data.heats.length > 0 && heats(data.heats)),
    section('edits', 'Edits', data.edits.length > 0 && data.edits.map(redLine).join('\n')),
    section('rollouts', 'Rollouts', data.rollouts.length > 0 && viewer()),
    section('config', 'Config', data.config !== '' && `<pre>${html(data.config)}</pre>`),
  ].filter(found => found !== undefined)
  // The script draws from the thinned points, so that what it says under the pointer is what is drawn.
  const forScript = {
    curves: curves.map(({ series }) => ({
      series: series.map(({ name, points }) => ({ name, points: thin(points) })),
    })),
    rollouts: data.rollouts satisfies ReportRollout[],
  }
  const scriptHash = createHash('sha256').update(PAGE_SCRIPT).digest('base64')
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${scriptHash}'; base-uri 'none'; form-action 'none'`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="Emend"><title>${html(data.title)}</title>
<style>${PAGE_STYLE}</style></head>
<body><main>
<h1>${html(data.title)}</h1>
${data.subtitle ? `<p>${html(data.subtitle)}</p>` : ''}<p class="soft"><small>${html(data.createdAt)}</small></p>
${facts(data)}<nav>${sections.map(({ id, title }) => `<a href="#${id}">${html(title)}</a>`).join('')}</nav>
${sections.map(({ id, title, body }) => `<section id="${id}"><h2>${html(title)}</h2>\n${body}</section>`).join('\n')}
</main>
<script type="application/json" id="data">${scriptJson(forScript)}</script>
<script>${PAGE_SCRIPT}</script>
</body></html>
`
}

const section = (id: string, title: string, body: string | false) => (body === false ? undefined : { id, title, body })

/** Arms in the order of the table, then whatever else has a curve: each gets one colour for the whole page. */
function armOrder({ arms, curves }: ReportData): string[] {
  const inCurves = curves.flatMap(({ series }) => series.map(({ name }) => name))
  const drawn = new Set(inCurves)
  // Arms without a curve take no colour from those with one.
  return [...new Set([...arms.map(({ name }) => name).filter(name => drawn.has(name)), ...inCurves])]
}

function facts({ facts = [] }: ReportData): string {
  if (facts.length === 0) return ''
  const items = facts.map(({ label, value }) => `<div><dt>${html(label)}</dt><dd>${html(value)}</dd></div>`)
  return `<dl>${items.join('')}</dl>\n`
}

function armTable(arms: readonly ArmRow[]): string {
  const kinds = [...new Set(arms.flatMap(({ defects }) => Object.keys(defects)))]
  const most = Math.max(1e-12, ...arms.map(({ defects }) => total(defects)))
  const best = Math.max(...arms.map(({ win_rate }) => win_rate))
  const hasRepeats = arms.some(({ repeats }) => repeats !== undefined)
  const rows = arms.map(arm => {
    const question = arm.question ? `<span class="question">${html(arm.question)}</span>` : ''
    const why = arm.note ? `<span class="why">${html(arm.note)}</span>` : ''
    const repeats = arm.repeats === undefined ? '–' : figure(arm.repeats, 2)
    return `<tr${arm.win_rate === best ? ' class="best"' : ''}><td><b>${html(arm.name)}</b>${question}${why}</td>
<td>${winBar(arm)}</td><td class="n"><b>${figure(arm.win_rate, 1)}</b> ± ${figure(arm.standard_error, 1)}</td>
<td class="n">${figure(arm.avg_length, 1)}</td><td class="n">${figure(arm.kl, 2)}</td>${hasRepeats ? `<td class="n">${repeats}</td>` : ''}
${kinds.length > 0 ? `<td>${defectBar(arm.defects, kinds, most)}</td>` : ''}<td class="n">${formatSeconds(arm.seconds)}</td><td class="n">${arm.n_total}</td></tr>`
  })
  const legend = kinds.map(
    (kind, i) =>
      `<span class="${colour(i)}"><i class="swatch block"></i><span class="name">${html(kind)}</span></span>`,
  )
  return `<p class="soft"><small>Win rate in percent ± one standard error over prompts; the whisker is the 95 % interval (± 1.96 standard errors), the dashed line 50. ★ the highest rate, which need not differ from the next.</small></p>
<div class="wide"><table><thead><tr><th>arm</th><th colspan="2">win rate</th><th class="n">length</th><th class="n">KL</th>${hasRepeats ? '<th class="n">repeats</th>' : ''}
${kinds.length > 0 ? '<th>defects</th>' : ''}<th class="n">time</th><th class="n">n</th></tr></thead><tbody>
${rows.join('\n')}</tbody></table></div>
${kinds.length > 0 ? `<div class="legend">${legend.join('')}</div>` : ''}`
}

function winBar({ win_rate, standard_error, name }: ArmRow): string {
  const clamp = (x: number) => Math.max(0, Math.min(100, Number.isFinite(x) ? x : 0))
  const [low, high] = [clamp(win_rate - 1.96 * standard_error), clamp(win_rate + 1.96 * standard_error)]
  const interval = `95 % interval ${low.toFixed(1)} to ${high.toFixed(1)}`
  return `<svg class="bar" viewBox="0 0 100 20" preserveAspectRatio="none" role="img" aria-label="${html(name)}: ${figure(win_rate, 1)}, ${interval}"><title>${interval}</title>
<rect class="track" width="100" height="12" y="4"/><rect class="fill" width="${clamp(win_rate).toFixed(2)}" height="12" y="4"/>
<line class="half" x1="50" x2="50" y1="0" y2="20" vector-effect="non-scaling-stroke"/><path class="interval" fill="none" vector-effect="non-scaling-stroke" d="M${low.toFixed(2)} 6V14M${low.toFixed(2)} 10H${high.toFixed(2)}M${high.toFixed(2)} 6V14"/></svg>`
}

function defectBar(defects: Record<string, number>, kinds: readonly string[], most: number): string {
  const parts = kinds.map((kind, i) => {
    const count = defects[kind] ?? 0
    const width = ((100 * count) / most).toFixed(2)
    return count > 0
      ? `<i class="${colour(i)}" style="width:${width}%;background:currentColor" title="${html(kind)}: ${figure(count)}"></i>`
      : ''
  })
  const list = kinds.map(kind => `${kind} ${figure(defects[kind] ?? 0)}`).join(', ')
  return `<div class="stack" role="img" aria-label="${html(list)}" style="min-width:120px">${parts.join('')}</div><small title="${html(list)}">${figure(total(defects))}</small>`
}

const total = (defects: Record<string, number>) => Object.values(defects).reduce((sum, count) => sum + count, 0)

function plainTable({ note, columns, rows }: ReportTable): string {
  const isNumber = columns.map((_, i) => rows.every(row => typeof row[i] === 'number'))
  const cell = (value: string | number | undefined, i: number) =>
    `<td${isNumber[i] ? ' class="n"' : ''}>${typeof value === 'number' ? figure(value) : html(value ?? '')}</td>`
  return `${note ? `<p class="soft"><small>${html(note)}</small></p>` : ''}<div class="wide"><table>
<thead><tr>${columns.map((name, i) => `<th${isNumber[i] ? ' class="n"' : ''}>${html(name)}</th>`).join('')}</tr></thead>
<tbody>${rows.map(row => `<tr>${columns.map((_, i) => cell(row[i], i)).join('')}</tr>`).join('\n')}</tbody></table></div>`
}

function charts(curves: readonly Curve[], order: readonly string[]): string {
  const keys = order.map(
    (name, i) =>
      `<button class="key ${colour(i)}" aria-pressed="true" data-arm="${html(name)}"><i class="swatch"></i><span class="name">${html(name)}</span></button>`,
  )
  const drawn = curves.map((curve, i) =>
    chart(curve, order).replace('<figure class="chart"', `<figure class="chart" data-index="${i}"`),
  )
  return `<div class="legend">${keys.join('')}</div><div class="charts">${drawn.join('\n')}</div>`
}

function heats(list: readonly Heat[]): string {
  const cards = list.map(({ model, prompt, tokens, total, note }) => {
    const full = fullColour(tokens)
    const spans = tokens.map(({ text, reward }) => {
      const strength = heat(reward, full)
      return `<span class="tok${strength < 0 ? ' neg' : ''}" style="--h:${Math.abs(strength).toFixed(2)}" data-r="${figure(reward)}">${html(text)}</span>`
    })
    return `<article class="card"><header><b>${html(model)}</b><span>total <b>${figure(total)}</b></span><span>full colour at ±${figure(full)}</span>${note ? `<span>${html(note)}</span>` : ''}</header>
<div class="text prompt">${html(prompt)}</div><div class="text">${spans.join('')}</div></article>`
  })
  return `<p class="soft"><small>The reward of each token: <span class="scale"></span> low to high, each text on its own scale. Point at a token for its number.</small></p>
${cards.join('\n')}`
}

function redLine({ prompt, segments, note }: RedLine): string {
  const tags = { kept: 'span', deleted: 'del', inserted: 'ins' }
  const text = segments.map(({ text, kind }) => `<${tags[kind]}>${html(text)}</${tags[kind]}>`).join('')
  return `<article class="card">${note ? `<header>${html(note)}</header>` : ''}<div class="text prompt">${html(prompt)}</div><div class="text">${text}</div></article>`
}

function viewer(): string {
  const orders = ['reward down', 'reward up', 'kl down', 'kl up', 'length down', 'length up']
  const titles: Record<string, string> = { reward: 'reward', kl: 'KL', length: 'length' }
  const options = orders.map(order => {
    const [key, direction] = order.split(' ')
    return `<option value="${order}">${titles[key!]}, ${direction === 'down' ? 'highest' : 'lowest'} first</option>`
  })
  return `<noscript><p class="soft">The viewer of rollouts needs a script; the same lines stand in rollouts.jsonl.</p></noscript>
<div class="controls"><label>sort by <select id="rollout-sort">${options.join('')}</select></label>
<label>arm <select id="rollout-arm"><option value="">all</option></select></label>
<label>step <select id="rollout-step"><option value="">all</option></select></label><small id="rollout-count"></small></div>
<div id="rollout-list"></div><button class="more" id="rollout-more" hidden>Show more</button>`
}
