import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { isSwapped } from '../../evaluation/judges/index.js'
import { chatServer } from '../../providers/chat-server.fixture.js'
import { readSection } from '../../providers/sections.js'
import { RewardModel } from '../../rewards/index.js'
import { type TinyFolders, tinyFolders } from '../../server/tiny-model.fixture.js'
import { Tokenizer } from '../../text/index.js'
import { concierge } from '../../worlds/index.js'

const command = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))

let folder: string
let server: Awaited<ReturnType<typeof chatServer>> | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-evaluate-'))
})
afterEach(() => {
  server?.close()
  server = undefined
  rmSync(folder, { recursive: true, force: true })
})
const file = (name: string, content?: unknown) => {
  const path = join(folder, name)
  if (content !== undefined) writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}
const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'))

function start(...args: string[]) {
  const child = spawn(process.execPath, [command, 'evaluate', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.on('data', data => {
    out += data
  })
  child.stderr.on('data', data => {
    err += data
  })
  return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, out, err })) }
}
const evaluate = (...args: string[]) => start(...args).ended
async function json(...args: string[]) {
  const { code, out, err } = await evaluate(...args, '--json', '--quiet')
  expect(err).toBe('')
  expect(code).toBe(0)
  return JSON.parse(out)
}
const lines = (rows: readonly object[]) => rows.map(row => `${JSON.stringify(row)}\n`).join('')

const annotation = (instruction: string, preference: number | null, generator_2 = 'new') => ({
  ...{ instruction, output_1: 'reference', output_2: 'an output', generator_1: 'ref', generator_2 },
  ...{ annotator: 'judge', preference },
})

describe('emend evaluate --annotations', () => {
  it('compares two files, writes the leaderboard and the page', async () => {
    const here = file('here.json', [annotation('p', 2), annotation('q', 2), annotation('r', null)])
    const there = file('there.json', [annotation('q', 1, 'old'), annotation('p', 1, 'old'), annotation('r', 1, 'old')])
    const found = await json(
      ...['--annotations', here, '--against', there],
      ...['--leaderboard', file('board.csv'), '--report', file('games.html')],
    )
    expect(found).toMatchObject({ win_rate: 100, n_total: 2, n_unjudged: 1, win_rate_unjudged_as_draws: 250 / 3 })
    expect(found).toMatchObject({ avg_length: 9, annotator: 'judge', against: { win_rate: 0, n_total: 3 } })
    expect(found.leaderboard).toEqual({ file: file('board.csv'), place: 1, of: 1 })
    expect(found.comparison).toMatchObject({ difference: 100, n: 2, unjudged: 1, verdict: 'above' })
    expect(readFileSync(file('board.csv'), 'utf8').split('\n')[1]).toBe('new,100,0,2,0,0,2,100,9')
    expect(readFileSync(file('games.html'), 'utf8')).toContain('<title>new against ref</title>')
    const { out } = await evaluate('--annotations', here, '--against', there)
    expect(out).toContain('win rate: 100.0 ± 0.0 (n = 2)\n')
    expect(out).toContain('without a judgement: 1, left out; as draws they would make the win rate 83.3\n')
    expect(out).toContain('against there.json: +100.0 points on 2 prompts')
  })

  it.each([
    [
      ['--annotations', 'FOLDER/bad.json'],
      1,
      'FOLDER/bad.json:1: preference: expected null, -1, 0 or a number in [1, 2], got number 3',
    ],
    [['--annotations', 'FOLDER/none.json'], 1, 'FOLDER/none.json: no such file; check the path'],
    [
      ['--annotations', 'FOLDER/two.json', '--leaderboard', 'FOLDER/b.csv'],
      2,
      '--leaderboard needs --name: the outputs are of 2 models, or do not say',
    ],
    [
      ['--annotations', 'FOLDER/two.json', '--model', 'x'],
      2,
      'give either --annotations FILE or outputs to judge, not both',
    ],
    [
      ['--annotations', 'FOLDER/one.json', '--judge', 'llm'],
      2,
      '--annotations FILE holds judgements already: leave out --judge llm, or give outputs',
    ],
    [
      ['--model', 'x', '--world', 'concierge', '--judge', 'reward'],
      2,
      '--world is judged by its oracle: leave out --judge reward, or give --reference-outputs FILE',
    ],
    [
      ['--model-outputs', 'FOLDER/outputs.json'],
      2,
      'give --reference-outputs FILE, with which the outputs are compared',
    ],
    [
      ['--model-outputs', 'FOLDER/outputs.json', '--reference-outputs', 'FOLDER/outputs.json'],
      2,
      'give --judge llm, --judge reward or --judge oracle',
    ],
    [
      ['--model-outputs', 'FOLDER/outputs.json', '--reference-outputs', 'FOLDER/others.json', '--judge', 'oracle'],
      1,
      'no instruction of FOLDER/outputs.json is one of FOLDER/others.json; both must be to the same ones',
    ],
    [
      [
        '--model-outputs',
        'FOLDER/outputs.json',
        '--reference-outputs',
        'FOLDER/outputs.json',
        '--judge',
        'oracle',
        '--world',
        'mars',
      ],
      2,
      '--world: got mars, expected concierge',
    ],
    [
      ['--model-outputs', 'FOLDER/two.json', '--reference-outputs', 'FOLDER/outputs.json', '--judge', 'oracle'],
      1,
      'FOLDER/two.json:1: output: missing: the record has instruction, output_1, output_2, generator_1, generator_2, annotator, preference; emend import --columns takes other names',
    ],
    [
      ['--annotations', 'FOLDER/none.json', '--leaderboard', 'FOLDER/two.json'],
      1,
      'FOLDER/two.json: not a leaderboard: ',
    ],
    [
      ['--annotations', 'FOLDER/one.json', '--report', 'FOLDER'],
      1,
      'FOLDER: cannot be written: EISDIR: illegal operation on a directory, rename ',
    ],
    [['--preferences', 'FOLDER/outputs.json'], 2, 'give --reward DIR, a reward model as `emend reward` writes it'],
    [
      ['--reward', 'x', '--preferences', 'FOLDER/outputs.json', '--report', 'FOLDER/r.html'],
      2,
      '--report does nothing with --preferences: leave it out',
    ],
    [['--edits', 'x', '--judge', 'llm'], 2, '--judge does nothing with --edits: leave it out'],
    [['--edits', 'x', '--model', 'FOLDER'], 2, '--model does nothing with --edits: leave it out'],
    [
      ['--annotations', 'FOLDER/one.json', '--reference-outputs', 'FOLDER/outputs.json'],
      2,
      '--reference-outputs does nothing with --annotations: leave it out',
    ],
    [
      ['--model', 'FOLDER', '--world', 'concierge', '--chat'],
      2,
      '--chat does nothing with --model and --world: leave it out',
    ],
    [
      ['--model', 'FOLDER', '--world', 'concierge', '--dry-run'],
      2,
      '--dry-run goes with --judge llm: other judges cost nothing',
    ],
    [
      [
        ...['--model-outputs', 'FOLDER/outputs.json', '--reference-outputs', 'FOLDER/outputs.json'],
        ...['--judge', 'oracle', '--both-orders'],
      ],
      2,
      '--both-orders does nothing with --model-outputs and --judge oracle: leave it out',
    ],
    [
      ['--annotations', 'FOLDER/one.json', '--judge', 'llm', '--dry-run'],
      2,
      '--annotations FILE holds judgements already: leave out --judge llm, or give outputs',
    ],
    [['--model', 'x', '--world', 'mars'], 2, '--world: got mars, expected concierge'],
  ] as const)('%j ends in one line', async (args, status, message) => {
    file('one.json', [annotation('p', 2)])
    file('bad.json', [annotation('p', 3)])
    file('two.json', [annotation('p', 2), annotation('q', 2, 'old')])
    file('outputs.json', [{ instruction: 'p', output: 'x', generator: 'g' }])
    file('others.json', [{ instruction: 'other', output: 'x', generator: 'g' }])
    const { code, err } = await evaluate(...args.map(arg => arg.replace('FOLDER', folder)))
    expect(err.split('\n')).toHaveLength(2)
    expect([code, err.slice(0, -1)]).toEqual([
      status,
      expect.stringContaining(`emend: ${message.replaceAll('FOLDER', folder)}`),
    ])
  })
})

describe('emend evaluate --judge llm', () => {
  const n = 60
  const instruction = (i: number) => `What is ${i} and ${i}?`
  const outputs = (name: string, output: (i: number) => string) =>
    file(
      `${name}.json`,
      Array.from({ length: n }, (_, i) => ({ instruction: instruction(i), output: output(i), generator: name })),
    )
  /** The reference is always wrong; the model is right but for every third, and equal to the reference every tenth. */
  const right = (i: number) => i % 3 !== 0 || i % 10 === 0
  const files = () => [
    ...['--reference-outputs', outputs('ref', () => '7')],
    ...['--model-outputs', outputs('new', i => (i % 10 === 0 ? '7' : right(i) ? `${2 * i}` : 'no idea'))],
  ]
  const llm = () => [
    '--judge',
    'llm',
    '--llm',
    'openai-compatible:m',
    '--base-url',
    server!.url,
    '--calls',
    file('calls.db'),
  ]
  /** Prefers what is right, else the 7; stumbles over the 50th. */
  const reply = ({ messages }: { messages: readonly { content: string }[] }) => {
    const asked = messages[1]!.content
    const i = Number(/What is (\d+)/.exec(readSection('instruction', asked)!)![1])
    if (i === 50 + 1) return 'Both have merits.'
    const good = right(i) ? `${2 * i}` : '7'
    return `Better: ${readSection('response-A', asked) === good ? 'A' : 'B'}`
  }

  it('judges in a drawn order, killed on the way: no call is paid twice, and the row is that of the annotations', async () => {
    server = await chatServer({ reply, delay: 3, fault: i => (i % 11 === 10 ? '500' : undefined) })
    const args = [...files(), ...llm(), '--backoff', '0.01', '--annotations-out', file('judged.json')]
    const { child, ended } = start(...args)
    while (server.answered.size < 20) await new Promise(resolve => setTimeout(resolve, 5))
    child.kill('SIGKILL')
    await ended
    expect(existsSync(file('judged.json'))).toBe(false)
    const found = await json(...args)
    // Of 60 each tenth, 6, is equal. Of the other 54 the multiples of 3 lose: 20 less the 2 of 30, less the one that is unread.
    expect(found).toMatchObject({ n_wins: 36, n_wins_base: 17, n_draws: 6, n_total: 59, n_unjudged: 1 })
    expect(found.annotator).toBe('openai-compatible:m/pairwise-1')
    expect(found.judging).toMatchObject({
      identical: 6,
      failed: { 'no verdict': 1 },
      unmatched: { reference: 0, model: 0 },
    })
    expect(found.judging.order).toMatchObject({ neither: 0, both: 0 })
    // What the killed process had in hand may be asked once more: at most the four calls of the concurrency.
    expect(server.answered.size).toBe(54)
    expect([...server.answered.values()].reduce((sum, times) => sum + times - 1, 0)).toBeLessThanOrEqual(4)
    expect(found.calls.cached).toBeGreaterThanOrEqual(16)
    const judged = read(file('judged.json'))
    expect(judged).toHaveLength(n)
    for (const [i, one] of judged.entries()) {
      expect(one).toMatchObject({ instruction: instruction(i), generator_1: 'ref', generator_2: 'new' })
      if (i % 10 === 0) expect([one.preference, one.order]).toEqual([1.5, undefined])
      else expect(one.order).toBe(isSwapped({ prompt: instruction(i) }, 0) ? '2, 1' : '1, 2')
      if (i === 51)
        expect(one).toMatchObject({ preference: null, raw_completion: 'Both have merits.', failure: 'no verdict' })
      else if (i % 10 !== 0) expect(one.preference).toBe(right(i) ? 2 : 1)
    }
    const { judging, calls, annotations, ...row } = found
    expect(await json('--annotations', file('judged.json'))).toEqual(row)
    const asked = server.requests.length
    expect((await json(...args)).n_wins).toBe(36)
    expect(server.requests).toHaveLength(asked)
  }, 120_000)

  it('in both orders a judge of places makes draws, and is found out', async () => {
    server = await chatServer({ reply: () => 'Better: A' })
    const found = await json(...files(), ...llm(), '--both-orders')
    expect(found).toMatchObject({ n_draws: n, win_rate: 50, annotator: 'openai-compatible:m/pairwise-1/both-orders' })
    expect(found.judging.order).toEqual({ first: 108, second: 0, neither: 0, both: 54, contradictory: 54 })
    expect(server.requests).toHaveLength(108)
  }, 60_000)

  it('stops at the cap with what it has, and goes on from there; the leaderboard waits for the whole', async () => {
    server = await chatServer({ reply })
    const prices = ['--price-input', '1', '--price-output', '1', '--max-tokens', '50']
    const args = [...files(), ...llm(), ...prices, '--annotations-out', file('judged.json'), '--json', '--quiet']
    const { code, out } = await evaluate(...args, '--max-cost', '0.004')
    expect(code).toBe(1)
    expect(JSON.parse(out).judging.stopped).toContain('the spending cap of 0.004 leaves no room')
    const first = read(file('judged.json')).length
    expect(first).toBeGreaterThan(6)
    expect(first).toBeLessThan(n)
    const board = await evaluate(...args, '--max-cost', '0.004', '--leaderboard', file('board.csv'))
    expect([board.code, existsSync(file('board.csv'))]).toEqual([1, false])
    expect(board.err).toContain('board.csv: not written, since the judging was stopped: the spending cap')
    const rest = await evaluate(...args, '--max-cost', '1', '--leaderboard', file('board.csv'))
    expect(rest.code).toBe(0)
    expect(server.requests).toHaveLength(54)
    expect(read(file('judged.json'))).toHaveLength(n)
    expect(readFileSync(file('board.csv'), 'utf8')).toContain('\nnew,')
  }, 60_000)

  it('--dry-run asks nothing, and knows what is on disk', async () => {
    server = await chatServer({ reply })
    const args = [...files(), ...llm(), '--max-tokens', '50']
    const prices = ['--price-input', '2', '--price-output', '4']
    const before = await json(...args, ...prices, '--dry-run')
    expect(before).toMatchObject({ games: n, identical: 6, calls: 54, cached: 0, output_tokens: 216 })
    expect(before.cost).toBeCloseTo((before.input_tokens * 2 + 216 * 4) / 1e6, 9)
    expect(before.worst_cost).toBeGreaterThan(before.cost)
    expect(server.requests).toHaveLength(0)
    await json(...args)
    expect(await json(...args, '--dry-run')).toMatchObject({ calls: 0, cached: 54, input_tokens: 0 })
    // Of both orders one was asked.
    expect(await json(...args, '--dry-run', '--both-orders')).toMatchObject({ calls: 54, cached: 54 })
  }, 60_000)

  it('without a single judgement there is no win rate', async () => {
    server = await chatServer({ reply: () => 'I cannot say.' })
    const { code, err } = await evaluate(
      ...['--reference-outputs', file('a.json', [{ instruction: 'p', output: 'x', generator: 'a' }])],
      ...['--model-outputs', file('b.json', [{ instruction: 'p', output: 'y', generator: 'b' }]), ...llm(), '--quiet'],
    )
    expect([code, err]).toEqual([1, 'emend: no judgement of 1 games: no verdict 1\n'])
  })
})

describe('emend evaluate --judge oracle', () => {
  it("agrees with the world's own comparison", async () => {
    const stays = concierge.stays('test', 1, 30)
    const replies = stays.map((stay, i) => concierge.demonstration(stay, i))
    const outputs = (name: string, texts: readonly string[]) =>
      file(name, lines(stays.map((stay, i) => ({ instruction: stay.prompt, output: texts[i]! }))))
    const found = await json(
      ...['--judge', 'oracle', '--model-outputs', outputs('new.jsonl', replies)],
      ...[
        '--reference-outputs',
        outputs(
          'ref.jsonl',
          stays.map(stay => concierge.reference(stay)),
        ),
      ],
    )
    const scores = stays.map((stay, i) => concierge.compare(stay, replies[i]!, true))
    expect(found.win_rate).toBeCloseTo((100 * scores.reduce<number>((sum, score) => sum + score, 0)) / 30, 9)
    expect(found.annotator).toBe('oracle:concierge')
  }, 30_000)
})

describe('emend evaluate --reward', () => {
  let tiny: TinyFolders
  beforeAll(async () => {
    tiny = await tinyFolders()
  })
  afterAll(() => tiny?.remove())
  const rows = [
    { prompt: 'the cat', chosen: ' sat on the mat', rejected: ' and the dog', kind: 'a' },
    { prompt: 'the dog', chosen: ' sat', rejected: ' sat there too, naïve', kind: 'b' },
    { prompt: 'and', chosen: ' the same', rejected: ' the same', kind: 'c' },
    { prompt: 'there', chosen: ' café 🙂', rejected: ' on the mat', kind: 'a' },
  ]
  const score = async (prompt: string, response: string) => {
    const reward = await RewardModel.load(tiny.reward)
    const tokenizer = await Tokenizer.load(tiny.reward)
    const ids = Int32Array.of(...(await tokenizer.encode(response)).ids, 2)
    return reward.readAll([(await tokenizer.encode(prompt)).ids], [ids])[0]!
  }

  it('accuracy is that of its scores, for each subset too', async () => {
    const found = await json('--reward', tiny.reward, '--preferences', file('p.jsonl', lines(rows)), '--subset', 'kind')
    const right = []
    for (const { prompt, chosen, rejected } of rows)
      right.push(Number((await score(prompt, chosen)).sequence > (await score(prompt, rejected)).sequence))
    // The third has nothing to prefer.
    expect(found).toMatchObject({ n: 3, set_aside: 1 })
    expect(found.accuracy).toBeCloseTo((right[0]! + right[1]! + right[3]!) / 3, 12)
    expect(Object.keys(found.subsets)).toEqual(['a', 'b'])
    expect(found.subsets.a).toMatchObject({ n: 2, accuracy: (right[0]! + right[3]!) / 2 })
    expect(found.subsets.b).toMatchObject({ n: 1, accuracy: right[1], longer: 0 })
    expect(found).not.toHaveProperty('auroc_deleted')
    const missing = await evaluate('--reward', tiny.reward, '--preferences', file('p.jsonl'), '--subset', 'topic')
    expect(missing.err).toContain(`${file('p.jsonl')}:1: topic: missing: the record has prompt, chosen, rejected, kind`)
  }, 60_000)

  it('of edits it tells whether token rewards find them', async () => {
    const edits = [{ prompt: 'the cat', draft: ' sat on the dog', final: ' sat on the mat' }]
    const found = await json('--reward', tiny.reward, '--edits', file('e.jsonl', lines(edits)))
    expect(found).toMatchObject({ n: 1, auroc_deleted: expect.any(Number), auroc_inserted: expect.any(Number) })
    const { out } = await evaluate('--reward', tiny.reward, '--edits', file('e.jsonl'))
    expect(out).toMatch(/^accuracy: (0|100)\.0 /)
    expect(out).toContain('AUROC of deleted tokens: ')
  }, 60_000)

  it('as a judge it gives its own probability, and says what is too long for it', async () => {
    const long = 'café naïve '.repeat(200)
    const prompts = ['the cat', 'the dog']
    const outputs = (name: string, texts: readonly string[]) =>
      file(
        name,
        prompts.map((instruction, i) => ({ instruction, output: texts[i]!, generator: name })),
      )
    const found = await json(
      ...['--judge', 'reward', '--reward', tiny.reward, '--annotations-out', file('judged.json')],
      ...[
        '--reference-outputs',
        outputs('ref.json', [' sat', 'short']),
        '--model-outputs',
        outputs('new.json', [' on the mat', long]),
      ],
    )
    const [a, b] = [(await score('the cat', ' sat')).sequence, (await score('the cat', ' on the mat')).sequence]
    const [first, second] = read(file('judged.json'))
    expect(first.preference).toBeCloseTo(1 + Math.exp(b) / (Math.exp(a) + Math.exp(b)), 5)
    expect(second).toMatchObject({
      preference: null,
      raw_completion: expect.stringMatching(/^too long: \d+ tokens, the model reads 256$/),
    })
    expect(found).toMatchObject({ n_total: 1, n_unjudged: 1, annotator: `reward:${tiny.reward}` })
  }, 60_000)

  it("a model answers the reference's instructions, the same every time", async () => {
    const reference = file(
      'ref.json',
      [' sat', ' too'].map((output, i) => ({ instruction: `the cat ${i}`, output, generator: 'ref' })),
    )
    const args = [
      '--judge',
      'reward',
      '--reward',
      tiny.reward,
      '--model',
      tiny.model,
      '--chat',
      '--max-new-tokens',
      '8',
      '--reference-outputs',
      reference,
    ]
    const [once, again] = [
      await json(...args, '--annotations-out', file('1.json')),
      await json(...args, '--annotations-out', file('2.json')),
    ]
    expect(once.n_total).toBe(2)
    expect(again.win_rate).toBe(once.win_rate)
    expect(read(file('1.json'))).toEqual(read(file('2.json')))
    expect(read(file('1.json'))[0]).toMatchObject({ instruction: 'the cat 0', generator_2: tiny.model })
  }, 60_000)
})
