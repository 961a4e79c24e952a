/** What a run against a failing provider pays for, and what it does not. */
import { existsSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Store } from '../../data/store/index.js'
import { chatServer, type Fault } from '../../providers/chat-server.fixture.js'
import { runCli } from '../run-cli.js'
import { Desk, reply } from './annotate.fixture.js'

let desk: Desk
let server: Awaited<ReturnType<typeof chatServer>>
beforeEach(() => {
  desk = new Desk()
})
afterEach(() => {
  server?.close()
  desk.remove()
})

const annotate = (...args: string[]) => desk.annotate(server.url, ...args)

describe('emend annotate --by llm', () => {
  it('a thousand edits against every fault, killed twice: none is asked for again, the cap holds, failures are told', async () => {
    const faults: Fault[] = ['429', '500', 'garbage', 'half, then cut', 'half, then end', 'error event']
    // One request in five fails, in turn in each way.
    server = await chatServer({
      reply,
      delay: 2,
      fault: n => (n % 5 === 4 ? faults[Math.floor(n / 5) % faults.length] : undefined),
    })
    await desk.fill(1000)
    // Prices of one dollar for a million tokens: about 400 bytes at worst and 300 tokens out, a thousand times and more.
    const args = [
      '--concurrency',
      '8',
      '--max-tokens',
      '100',
      '--price-input',
      '1',
      '--price-output',
      '1',
      '--max-cost',
      '2',
      '--backoff',
      '0.01',
    ]
    let killed = 0
    for (const after of [150, 500]) {
      const { child, ended } = annotate(...args)
      while (server.answered.size < after) await new Promise(resolve => setTimeout(resolve, 5))
      child.kill('SIGKILL')
      await ended
      killed++
    }
    const { code, out, err } = await annotate(...args).ended
    expect(err).not.toMatch(/^emend: /m)
    expect(code).toBe(0)
    const report = JSON.parse(out)
    await using store = await Store.open(desk.store, { readonly: true })
    expect(await store.counts()).toMatchObject({ done: 1000, pending: 0, claimed: 0 })
    expect(server.answered.size).toBe(1000)
    // What the dead process had not written down may be asked once more: at most the eight calls in its hands.
    const repeated = [...server.answered.values()].reduce((sum, n) => sum + n - 1, 0)
    expect(repeated).toBeLessThanOrEqual(8 * killed)
    expect(report.calls.open).toBeLessThanOrEqual(8 * killed)
    expect(report.calls.open).toBeGreaterThanOrEqual(repeated)
    // Spending counts every answer that was delivered, and what may have been charged.
    const charged = (server.usage.input + server.usage.output) / 1e6
    expect(report.calls.spent).toBeGreaterThanOrEqual(charged)
    expect(report.calls.spent).toBeLessThanOrEqual(2)
    expect(Object.keys(report.calls.failures).sort()).toEqual(['broken', 'rate limit', 'server error'])
    for await (const edit of store.edits()) {
      expect(edit.final).toBe(edit.draft.replace('were', 'was'))
      expect(edit.by).toEqual({ kind: 'model', name: 'openai-compatible:m', version: 'minimal-edit-1' })
    }
  }, 300_000)

  it('stops at the cap, and goes on from there once it is raised', async () => {
    server = await chatServer({ reply })
    await desk.fill(40)
    const args = (cap: string) => [
      '--max-tokens',
      '100',
      '--price-input',
      '1',
      '--price-output',
      '1',
      '--max-cost',
      cap,
    ]
    const first = await annotate(...args('0.006')).ended
    expect(first.code).toBe(1)
    const report = JSON.parse(first.out)
    expect(report.stopped).toMatch(/spending cap of 0\.006 leaves no room/)
    expect(report.calls.spent).toBeLessThanOrEqual(0.006)
    expect((server.usage.input + server.usage.output) / 1e6).toBeCloseTo(report.calls.spent, 9)
    expect(report.edited).toBeGreaterThan(5)
    expect(report.edited).toBeLessThan(40)
    const second = JSON.parse((await annotate(...args('1')).ended).out)
    expect(first.code).toBe(1)
    expect(second.edited).toBe(40 - report.edited)
    expect(server.requests).toHaveLength(40)
  })

  it('a denied key ends the work at once', async () => {
    server = await chatServer({ reply, fault: () => '401' })
    await desk.fill(40)
    const { code, out } = await annotate().ended
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({ edited: 0, stopped: 'openai-compatible:m: refused with 401 (status 401)' })
    expect(server.requests.length).toBeLessThanOrEqual(4)
    await using store = await Store.open(desk.store, { readonly: true })
    expect(await store.counts()).toMatchObject({ pending: 40 })
  })

  it('ends with a failure where no draft had an answer', async () => {
    server = await chatServer({ reply, fault: () => '400' })
    await desk.fill(3)
    const { code, out } = await annotate().ended
    expect([code, JSON.parse(out).failed]).toEqual([1, { refused: 3 }])
  })

  it('a store that is not there is not made', async () => {
    server = await chatServer({ reply })
    for (const more of [[], ['--dry-run']]) {
      const { code, err } = await annotate(...more).ended
      expect([code, err]).toEqual([
        1,
        `emend: ${desk.store}: no such store; check the path, or fill it by \`emend import --queue\`\n`,
      ])
    }
    expect(existsSync(desk.store)).toBe(false)
  })

  it('--dry-run asks nothing, and knows what is on disk', async () => {
    server = await chatServer({ reply })
    await desk.fill(10)
    expect(JSON.parse((await annotate('--limit', '4').ended).out).edited).toBe(4)
    const { out } = await annotate('--dry-run', '--price-input', '2', '--price-output', '4').ended
    const found = JSON.parse(out)
    expect(found).toMatchObject({ items: 6, calls: 6, cached: 0 })
    expect(found.cost).toBeCloseTo((found.input_tokens * 2 + found.output_tokens * 4) / 1e6, 9)
    expect(found.worst_cost).toBeGreaterThan(found.cost)
    expect(server.requests).toHaveLength(4)
  })

  it('what cannot be is said in one line', async () => {
    server = await chatServer({ reply })
    await desk.fill(1)
    for (const [args, message] of [
      [['--max-cost', '1'], 'emend: --max-cost needs prices: give --price-input and --price-output'],
      [
        ['--llm', 'oracle'],
        'emend: --llm: got oracle, expected openai-compatible, openai, anthropic, bedrock, local, a colon, and a name',
      ],
      [
        ['--api-key-env', 'NO_SUCH'],
        'emend: --api-key-env NO_SUCH: the environment has no such variable, or it is empty',
      ],
      [['--budget', '0'], 'emend: --budget: got 0, expected more than 0, at most 1'],
      [['--world', 'concierge'], 'emend: --world does nothing with --by llm: leave it out'],
      [['--temperature', '-1'], 'emend: --temperature: got -1, expected at least 0'],
    ] as const) {
      const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
      const code = await runCli(desk.arguments(server.url, ...args))
      const lines = said.mock.calls.map(([text]) => text)
      said.mockRestore()
      expect([code, lines]).toEqual([2, [`${message}\n`]])
    }
  })
})
