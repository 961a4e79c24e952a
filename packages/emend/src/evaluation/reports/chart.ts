/** Curves as SVG that stands without a script; the report's script adds values under the pointer. */

import { figure, html } from './markup.js'
import type { Curve } from './report-data.js'

const WIDTH = 520
const HEIGHT = 220
const LEFT = 56
const RIGHT = 12
const TOP = 10
const BOTTOM = 26

/** How many colours the style sheet has; beyond them lines are dashed. */
export const COLOURS = 8

/** One chart with its title and a line per series. `order` gives each arm its colour, the same in all charts. */
export function chart(curve: Curve, order: readonly string[]): string {
  const drawn = curve.series
    .map(({ name, points }) => ({
      name,
      points: thin(points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y))),
    }))
    .filter(({ points }) => points.length > 0)
  const all = drawn.flatMap(({ points }) => points)
  if (all.length === 0) return ''
  const [minX, maxX] = bounds(all.map(([x]) => x))
  const yTicks = ticks(...bounds(all.map(([, y]) => y)))
  const [minY, maxY] = [yTicks[0]!, yTicks.at(-1)!]
  const x = (step: number) => LEFT + ((step - minX) / (maxX - minX || 1)) * (WIDTH - LEFT - RIGHT)
  const y = (value: number) => HEIGHT - BOTTOM - ((value - minY) / (maxY - minY)) * (HEIGHT - TOP - BOTTOM)

  const grid = yTicks.map(
    tick =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}"/>` +
      `<text x="${LEFT - 6}" y="${(y(tick) + 3.5).toFixed(1)}" text-anchor="end">${figure(tick)}</text>`,
  )
  const steps = ticks(minX, maxX)
    .filter(step => step >= minX && step <= maxX)
    .map(step => `<text x="${x(step).toFixed(1)}" y="${HEIGHT - 8}" text-anchor="middle">${figure(step)}</text>`)
  const lines = drawn.map(({ name, points }) => {
    const path = points.map(([px, py], i) => `${i === 0 ? 'M' : 'L'}${x(px).toFixed(1)} ${y(py).toFixed(1)}`).join('')
    const dot =
      points.length === 1
        ? `<circle class="dot" cx="${x(points[0]![0]).toFixed(1)}" cy="${y(points[0]![1]).toFixed(1)}" r="3"/>`
        : ''
    return `<g class="series ${colour(order.indexOf(name))}" data-arm="${html(name)}"><path d="${path}"/>${dot}</g>`
  })
  const frame = { minX, maxX, left: LEFT, right: WIDTH - RIGHT, width: WIDTH }
  const unit = curve.unit ? ` <small>${html(curve.unit)}</small>` : ''
  return `<figure class="chart" data-curve="${html(curve.metric)}" data-frame="${html(JSON.stringify(frame))}">
<figcaption>${html(curve.title)}${unit}<code>${html(curve.metric)}</code></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${html(curve.title)} over steps">
${grid.join('')}${steps.join('')}${lines.join('')}<line class="cursor" y1="${TOP}" y2="${HEIGHT - BOTTOM}" hidden/></svg>
<div class="values" aria-live="off"></div></figure>`
}

/** Classes that give arm number `i` its colour and, past the last colour, its dashes. */
export function colour(i: number): string {
  const at = Math.max(0, i)
  return `c${at % COLOURS}${at >= COLOURS ? ' dashed' : ''}`
}

/** At most about 600 points: of each stretch its lowest and its highest, so that no spike is lost. */
export function thin(points: readonly [number, number][], most = 600): [number, number][] {
  if (points.length <= most) return [...points]
  const size = Math.ceil((points.length * 2) / most)
  const kept: [number, number][] = []
  for (let i = 0; i < points.length; i += size) {
    const stretch = points.slice(i, i + size)
    const low = stretch.reduce((a, b) => (b[1] < a[1] ? b : a))
    const high = stretch.reduce((a, b) => (b[1] > a[1] ? b : a))
    kept.push(...(low === high ? [low] : low[0] < high[0] ? [low, high] : [high, low]))
  }
  return kept
}

/** Round numbers (1, 2 or 5 times a power of ten) from at or below `low` to at or above `high`, about five of them. */
export function ticks(low: number, high: number): number[] {
  const size = Math.max(Math.abs(low), Math.abs(high))
  // Values that floating point can hardly tell apart are drawn as one.
  const span = size < 1e-100 ? 1 : high - low > 1e-9 * size ? high - low : size
  const power = 10 ** Math.floor(Math.log10(span / 4))
  const step = [1, 2, 5, 10].map(factor => factor * power).find(size => span / size <= 5)!
  const first = Math.floor(low / step + 1e-9)
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9))
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

// Not Math.min(...values): a long run has more points than a call may have arguments.
const bounds = (values: readonly number[]): [number, number] =>
  values.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  )
