import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

// The long form, 100,000 calls: npm run fuzz -w @emend/torch. It works on the compiled package, as users get it.
describe('fuzz', () => {
  it('3,200 calls: no signal, and every error names its operator, what it got and what it expected', () => {
    const script = fileURLToPath(new URL('../fuzz/run.mjs', import.meta.url))
    const { stdout, stderr } = spawnSync(process.execPath, [script, '--calls', '3200', '--chunk', '3200', '--json'], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    })
    const report = JSON.parse(stdout || JSON.stringify({ stderr })) as Record<string, unknown>
    expect(report).toMatchObject({ calls: 3200, complained: 0, findings: [] })
    // Two rounds over every overload: some calls get through, most are refused.
    expect(report['operators']).toBeGreaterThan(1000)
    expect(report['done']).toBeGreaterThan(300)
    expect(report['refused']).toBeGreaterThan(1000)
  }, 300_000)
})
