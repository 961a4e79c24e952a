import type { Command } from 'commander'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { dpoCommand } from './commands/dpo.js'
import { ppoCommand } from './commands/ppo.js'
import { rewardCommand } from './commands/reward.js'
import { sftCommand } from './commands/sft.js'

afterEach(() => vi.restoreAllMocks())

describe.each([
  ['sft', sftCommand],
  ['reward', rewardCommand],
  ['ppo', ppoCommand],
  ['dpo', dpoCommand],
] as [string, () => Command][])('emend %s', (_, make) => {
  it('prints its settings without being told what to train, and takes the --set that its help shows', async () => {
    let out = ''
    vi.spyOn(process.stdout, 'write').mockImplementation((text, done?: unknown) => {
      out += text
      ;(done as (() => void) | undefined)?.()
      return true
    })
    const shown = /such as\s+(\S+)/.exec(make().helpInformation())![1]!
    await make().parseAsync(['--print-config', '--set', shown], { from: 'user' })
    expect(out).toContain('learning_rate: 0.0001')
  })
})
