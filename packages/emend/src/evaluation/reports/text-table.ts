/** A table of a report as aligned text, for the terminal. */
import type { ReportTable } from './report-data.js'

/** Title, note and rows; the first column to the left, the others to the right. */
export function renderText({ title, note, columns, rows }: ReportTable): string {
  const cells = [columns, ...rows.map(row => row.map(String))]
  const widths = columns.map((_, i) => Math.max(...cells.map(row => (row[i] ?? '').length)))
  const lines = cells.map(row =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  )
  return [title, ...lines.map(line => `  ${line}`), ...(note ? [`  ${note}`] : [])].join('\n')
}
