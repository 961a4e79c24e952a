/** Reports for the terminal: the table of arms, token rewards as colours, edits as red lines. */

import { formatSeconds } from '../../progress.js'
import { fullColour, heat } from './heat.js'
import { figure, visible } from './markup.js'
import type { ArmRow, EditSegment, TokenReward } from './report-data.js'

/** How many colours a terminal has: none, 256, or all of 24 bits. */
export type Colours = 'none' | '256' | '24bit'

/** What a stream can show. `NO_COLOR` turns colours off (no-color.org), `FORCE_COLOR` on. */
export function coloursOf(stream: { isTTY?: boolean } = process.stdout, env: NodeJS.ProcessEnv = process.env): Colours {
  const forced = env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0'
  if (env['NO_COLOR'] || env['TERM'] === 'dumb' || (!stream.isTTY && !forced)) return 'none'
  return /^(truecolor|24bit)$/.test(env['COLORTERM'] ?? '') || env['FORCE_COLOR'] === '3' ? '24bit' : '256'
}

/** The table of arms, a line each, columns aligned. The best win rate is bold where there are colours. */
export function renderTable(arms: readonly ArmRow[], options: { colours?: Colours } = {}): string {
  const { colours = coloursOf() } = options
  const kinds = [...new Set(arms.flatMap(({ defects }) => Object.keys(defects)))]
  const hasRepeats = arms.some(({ repeats }) => repeats !== undefined)
  const head = ['arm', 'win rate', 'n', 'length', 'KL', ...(hasRepeats ? ['repeats'] : []), ...kinds, 'time']
  const rows = arms.map(arm => [
    visible(arm.name),
    `${arm.win_rate.toFixed(1)} ± ${arm.standard_error.toFixed(1)}`,
    String(arm.n_total),
    figure(arm.avg_length, 1),
    figure(arm.kl, 2),
    ...(hasRepeats ? [arm.repeats === undefined ? '' : figure(arm.repeats, 2)] : []),
    ...kinds.map(kind => (arm.defects[kind] === undefined ? '' : figure(arm.defects[kind]!))),
    formatSeconds(arm.seconds),
  ])
  const widths = head.map((title, i) => Math.max(...[title, ...rows.map(row => row[i]!)].map(length)))
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => (i === 0 ? padEnd(cell, widths[i]!) : padStart(cell, widths[i]!))).join('  ')
  const best = Math.max(...arms.map(({ win_rate }) => win_rate))
  const style = (text: string, code: number) => (colours === 'none' ? text : `\x1b[${code}m${text}\x1b[0m`)
  return [
    style(line(head), 2),
    ...rows.flatMap((row, i) => {
      const { win_rate, note } = arms[i]!
      const text = line(row)
      return [win_rate === best ? style(text, 1) : text, ...(note ? [style(`  ${visible(note)}`, 2)] : [])]
    }),
  ].join('\n')
}

/** Tokens on the colour of their rewards, from red over nothing to green; with the numbers where there are no colours. */
export function heatLine(
  tokens: readonly TokenReward[],
  options: { colours?: Colours; numbers?: boolean } = {},
): string {
  const { colours = coloursOf() } = options
  const { numbers = colours === 'none' } = options
  const full = fullColour(tokens)
  return tokens
    .map(({ text, reward }) => {
      const shown = visible(text).replace(/\n/g, '⏎\n')
      const number = numbers ? `[${reward >= 0 ? '+' : ''}${figure(reward, 2)}]` : ''
      if (colours === 'none') return shown + number
      return background(shown, heat(reward, full), colours) + number
    })
    .join('')
}

/** An edit in one text: deleted struck in red, inserted underlined in green; `[-…-]{+…+}` where there are no colours. */
export function redLine(segments: readonly EditSegment[], options: { colours?: Colours } = {}): string {
  const { colours = coloursOf() } = options
  return segments
    .map(({ text, kind }) => {
      const shown = visible(text)
      if (kind === 'kept') return shown
      if (colours === 'none') return kind === 'deleted' ? `[-${shown}-]` : `{+${shown}+}`
      return kind === 'deleted' ? `\x1b[9;31m${shown}\x1b[0m` : `\x1b[4;32m${shown}\x1b[0m`
    })
    .join('')
}

// Red and green of the same lightness, on which black text is readable; white in the middle.
const RED = [240, 100, 90]
const GREEN = [80, 190, 120]

function background(text: string, strength: number, colours: Colours): string {
  const end = strength < 0 ? RED : GREEN
  const rgb = end.map(channel => Math.round(255 + (channel - 255) * Math.abs(strength)))
  // The 256-colour cube has six levels a channel: 0, 95, 135, 175, 215, 255.
  const level = (channel: number) => (channel < 48 ? 0 : Math.min(5, Math.round((channel - 55) / 40)))
  const [r, g, b] = rgb.map(level) as [number, number, number]
  const code = colours === '24bit' ? `2;${rgb.join(';')}` : `5;${16 + 36 * r + 6 * g + b}`
  // A colour ends before a line does, or the terminal paints to its edge.
  return text
    .split('\n')
    .map(part => (part === '' ? '' : `\x1b[30;48;${code}m${part}\x1b[0m`))
    .join('\n')
}

const length = (text: string) => [...text].length
const padEnd = (text: string, width: number) => text + ' '.repeat(width - length(text))
const padStart = (text: string, width: number) => ' '.repeat(width - length(text)) + text
