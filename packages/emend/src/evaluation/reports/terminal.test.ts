import { describe, expect, it } from 'vitest'
import { coloursOf, heatLine, redLine, renderTable } from './terminal.js'

describe('renderTable', () => {
  const arm = { standard_error: 1.8, n_total: 805, avg_length: 100.25, kl: 2.5, seconds: 65, defects: { rude: 3 } }

  it('aligns its columns and prints why an arm lost', () => {
    const table = renderTable(
      [
        { ...arm, name: 'SFT', win_rate: 41.24 },
        { ...arm, name: 'FG-token-PPO', win_rate: 9.5, note: 'repeats itself', defects: { rude: 3, leak: 120 } },
      ],
      { colours: 'none' },
    )
    expect(table.split('\n')).toEqual([
      'arm             win rate    n  length    KL  rude  leak   time',
      'SFT           41.2 ± 1.8  805   100.3  2.50     3        1m05s',
      'FG-token-PPO   9.5 ± 1.8  805   100.3  2.50     3   120  1m05s',
      '  repeats itself',
    ])
  })

  it('makes the best bold only where there are colours', () => {
    const arms = [{ ...arm, name: 'a', win_rate: 50 }]
    expect(renderTable(arms, { colours: '256' }).split('\n')[1]).toBe(
      '\x1b[1ma    50.0 ± 1.8  805   100.3  2.50     3  1m05s\x1b[0m',
    )
    expect(renderTable(arms, { colours: 'none' })).not.toContain('\x1b')
  })
})

describe('heatLine', () => {
  const tokens = [
    { text: 'fine', reward: 2 },
    { text: ' rude\u202e', reward: -2 },
    { text: '\n', reward: 0 },
  ]

  it('goes from red over white to green', () => {
    expect(heatLine(tokens, { colours: '24bit' })).toBe(
      '\x1b[30;48;2;80;190;120mfine\x1b[0m' +
        '\x1b[30;48;2;240;100;90m rude⟨U+202E⟩\x1b[0m' +
        '\x1b[30;48;2;255;255;255m⏎\x1b[0m\n',
    )
    // Nearest of the cube to (80, 190, 120) is (95, 175, 135), levels 1, 3, 2.
    expect(heatLine(tokens.slice(0, 1), { colours: '256' })).toBe('\x1b[30;48;5;72mfine\x1b[0m')
  })

  it('gives numbers where there are no colours, or when asked', () => {
    expect(heatLine(tokens, { colours: 'none' })).toBe('fine[+2.00] rude⟨U+202E⟩[−2.00]⏎\n[+0.00]')
    expect(heatLine(tokens.slice(0, 1), { colours: '24bit', numbers: true })).toContain('[+2.00]')
  })
})

it('red lines strike and underline, or bracket', () => {
  const segments = [
    { text: 'at ', kind: 'kept' },
    { text: '8', kind: 'deleted' },
    { text: '9', kind: 'inserted' },
  ] as const
  expect(redLine(segments, { colours: 'none' })).toBe('at [-8-]{+9+}')
  expect(redLine(segments, { colours: '24bit' })).toBe('at \x1b[9;31m8\x1b[0m\x1b[4;32m9\x1b[0m')
})

it('colours are those the terminal has, and none when unwanted', () => {
  const terminal = { isTTY: true }
  expect(coloursOf(terminal, { COLORTERM: 'truecolor' })).toBe('24bit')
  expect(coloursOf(terminal, { TERM: 'xterm-256color' })).toBe('256')
  expect(coloursOf(terminal, { NO_COLOR: '1', COLORTERM: 'truecolor' })).toBe('none')
  expect(coloursOf(terminal, { TERM: 'dumb' })).toBe('none')
  expect(coloursOf({}, { COLORTERM: 'truecolor' })).toBe('none')
  expect(coloursOf({}, { FORCE_COLOR: '1' })).toBe('256')
})
