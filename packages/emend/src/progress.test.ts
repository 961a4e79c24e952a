import { describe, expect, it } from 'vitest'
import { formatSeconds, ProgressBoard, progress, reporting } from './progress.js'

function screen(isTTY: boolean, quiet = false) {
  const written: string[] = []
  const clock = { ms: 0 }
  const board = new ProgressBoard({
    stream: { write: text => written.push(text), isTTY, columns: 200 },
    now: () => clock.ms,
    quiet,
  })
  return { written, clock, board, start: (total = 100) => progress('SFT', total, 'step', (id, r) => board.show(id, r)) }
}

describe('progress', () => {
  it('writes a plain line every ten seconds where there is no terminal, and one at the end', () => {
    const { written, clock, start } = screen(false)
    const task = start()
    task.update(0)
    clock.ms = 9_999
    task.update(20)
    expect(written).toEqual([])
    clock.ms = 10_000
    task.update(25, 'loss 1.50')
    expect(written).toEqual(['SFT  25%  25/100 step  2.50 step/s  30.0s left  loss 1.50\n'])
    clock.ms = 40_000
    task.update(100)
    task.finish('loss 0.90')
    task.update(101)
    expect(written.at(-1)).toBe('SFT  100 step  in 40.0s  loss 0.90\n')
    expect(written).toHaveLength(3)
  })

  it('does not count what was done before a resume as speed', () => {
    const { written, clock, start } = screen(false)
    const task = start()
    task.update(50)
    clock.ms = 20_000
    task.update(60)
    expect(written).toEqual(['SFT  60%  60/100 step  2.00 s/step  1m20s left\n'])
  })

  it('keeps one live line per task on a terminal and rewrites them in place', () => {
    const { written, clock, start } = screen(true)
    const first = start(10)
    const second = start(0)
    first.update(0)
    clock.ms = 1000
    second.update(3)
    const lines = written.at(-1)!.split('\n')
    expect(lines).toHaveLength(3)
    expect(lines[0]).toContain('░'.repeat(20))
    expect(lines[1]).toBe('SFT  3 step')
    clock.ms = 2000
    first.update(5)
    expect(written.at(-2)).toBe('\x1b[2F\x1b[0J')
    expect(written.at(-1)).toContain(`${'█'.repeat(10)}${'░'.repeat(10)}  50%  5/10 step  2.50 step/s  2.0s left`)
  })

  it('redraws at most ten times a second', () => {
    const { written, clock, start } = screen(true)
    const task = start()
    for (clock.ms = 0; clock.ms < 1000; clock.ms += 10) task.update(clock.ms / 10)
    expect(written.filter(text => text.includes('SFT'))).toHaveLength(10)
  })

  it('says nothing when quiet', () => {
    const { written, board, start } = screen(false, true)
    start().finish()
    board.say('hello')
    expect(written).toEqual([])
  })

  it('begins a task with its first report, and ends it with the last', () => {
    const { written, clock, start } = screen(false)
    const totals: number[] = []
    const report = reporting(total => {
      totals.push(total)
      return start()
    })
    expect(written).toEqual([])
    report(0, 2)
    clock.ms = 1000
    report(2, 2, 'loss 1.50')
    report(2, 2)
    expect(totals).toEqual([2])
    expect(written).toEqual(['SFT  2 step  in 1.0s  loss 1.50\n'])
  })

  it('writes durations as people read them', () => {
    expect([0.04, 8.44, 59.99, 125, 11_400].map(formatSeconds)).toEqual(['0.0s', '8.4s', '1m00s', '2m05s', '3h10m'])
  })
})
