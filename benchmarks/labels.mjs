// Labelling edit pairs beside Python's difflib and tokenizers doing the same, in turn. Run after `npm run build`:
//   PYTHON=python3 node benchmarks/labels.mjs [--pairs 100000] [--repeats 3] [--set generated,iterater] [--threads N]
// "end to end": a JSON Lines file of {draft, final} in, a line of operations and labelled tokens out for each, the tokenizer
// loaded before. "diff": the operations alone, the texts in memory. difflib compares words (the same kind of words as ours) without
// its junk heuristic; on a sample also characters. Edited characters: deleted and inserted, of all pairs together.
// Pairs are generated: replies of 5 to 120 words of an English-like vocabulary, edited in one to eight places; or IteraTeR's,
// over and over, where the data is (EMEND_DATA). The tokenizer is GPT-2's where the data is, else one trained on the pairs.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { diffTexts, editedCharacters } from '@emend/edits'
import { labelFile, Tokenizer, trainTokenizer } from 'emend/text'
import { testData } from '../packages/emend/dist/text/test-data.js'
import { median, startPeer } from './peer.mjs'

const { values: options } = parseArgs({
  options: {
    pairs: { type: 'string', default: '100000' },
    repeats: { type: 'string', default: '3' },
    set: { type: 'string', default: 'generated,iterater' },
    threads: { type: 'string' },
    profile: { type: 'boolean', default: false },
  },
})
// Read by the library when it first encodes, here and in Python.
if (options.threads) process.env.RAYON_NUM_THREADS = options.threads
const repeats = Number(options.repeats)
/** Pairs that difflib compares by character: it takes milliseconds for each. */
const BY_CHARACTER = 2000

const SYLLABLES =
  'an ber co da el fi gra hon in ju ka lo ment no or pre qui ra sta tion un ver wo ex y zo ing ed ly est'.split(' ')
const COMMON = 'the of and to a in is it you that he was for on are with as I his they be at one have this'.split(' ')

/** Numbers in [0, 1), the same for a seed. */
function random(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Drafts, and what a person who fixes a few words makes of them. */
function generated(count) {
  const next = random(7)
  const below = n => Math.floor(next() * n)
  const vocabulary = Array.from({ length: 8000 }, () =>
    Array.from({ length: 1 + below(4) }, () => SYLLABLES[below(SYLLABLES.length)]).join(''),
  )
  // Half of all words are common ones, the others fall off as in English.
  const word = () =>
    next() < 0.5 ? COMMON[below(COMMON.length)] : vocabulary[Math.floor(vocabulary.length * next() ** 3)]
  const misspelt = text => {
    const at = below(text.length)
    return text.slice(0, at) + SYLLABLES[below(SYLLABLES.length)][0] + text.slice(at + below(2))
  }
  return Array.from({ length: count }, () => {
    const words = Array.from(
      { length: 5 + Math.floor(115 * next() ** 2) },
      () => word() + (next() < 0.1 ? ',' : next() < 0.07 ? '.' : ''),
    )
    const edited = words.slice()
    for (let edits = 1 + Math.floor(8 * next() ** 2); edits > 0; edits--) {
      const at = below(edited.length)
      const kind = next()
      if (kind < 0.35) edited[at] = word()
      else if (kind < 0.55) edited[at] = misspelt(edited[at] || 'x')
      else if (kind < 0.75) edited.splice(at, 0, ...Array.from({ length: 1 + below(4) }, word))
      else if (kind < 0.93) edited.splice(at, 1 + below(3))
      else edited.splice(below(edited.length), 0, ...edited.splice(at, 1 + below(3)))
      if (edited.length === 0) edited.push(word())
    }
    return { draft: words.join(' '), final: edited.join(' ') }
  })
}

/** As many as asked for, again and again those that there are. */
function iterater(count) {
  const splits = ['train', 'dev', 'test'].map(split => testData('iterater-human', `${split}.jsonl`))
  if (splits.includes(undefined)) return undefined
  const pairs = splits.flatMap(path =>
    readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
      .map(({ before_sent, after_sent }) => ({ draft: before_sent.toWellFormed(), final: after_sent.toWellFormed() })),
  )
  return Array.from({ length: count }, (_, i) => pairs[i % pairs.length])
}

async function timed(work) {
  const start = performance.now()
  const before = process.cpuUsage()
  const value = await work()
  const { user, system } = process.cpuUsage(before)
  return { seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1e6, value }
}

const diffAll = pairs => pairs.map(({ draft, final }) => diffTexts(draft, final))
const edited = all => all.reduce((sum, ops) => sum + editedCharacters(ops), 0)

const folder = mkdtempSync(join(tmpdir(), 'emend-labels-'))
const peer = options.profile ? undefined : startPeer('labels_peer.py', 'tokenizers')
const row = cells =>
  console.log(
    cells
      .map((cell, i) => String(cell).padEnd([26, 10, 10, 8, 9, 9, 8, 20][i]))
      .join(' ')
      .trimEnd(),
  )
for (const set of options.set.split(',')) {
  const pairs = (set === 'iterater' ? iterater : generated)(Number(options.pairs))
  if (!pairs) continue
  const file = join(folder, `${set}.jsonl`)
  writeFileSync(file, pairs.map(pair => `${JSON.stringify(pair)}\n`).join(''))
  const gpt2 = testData('tokenizers', 'gpt2', 'tokenizer.json')
  const tokenizerFile = gpt2 ?? join(folder, 'tokenizer.json')
  if (!gpt2)
    (
      await trainTokenizer(
        pairs.slice(0, 5000).map(pair => pair.draft),
        { vocabSize: 8000 },
      )
    ).save(folder)
  const tokenizer = await Tokenizer.load(tokenizerFile)
  const out = side => join(folder, `${set}.${side}.jsonl`)

  if (options.profile) {
    console.log('diff', (await timed(() => diffAll(pairs))).seconds)
    console.log('labels', (await timed(() => labelFile(file, tokenizer, { out: out('emend') }))).seconds)
    continue
  }
  const told = await peer.ask({ load: tokenizerFile, file })
  const size = pairs.reduce((sum, { draft, final }) => sum + draft.length + final.length, 0)
  console.log(
    `\n${set}: ${pairs.length} pairs, ${(size / pairs.length / 2).toFixed(0)} characters a side; tokenizers ${told.tokenizers}, Python ${told.python}`,
  )
  row(['', 'emend, s', 'Python, s', 'ratio', 'CPU, s', '', 'ratio', 'edited characters'])

  // In turn; the first round only warms up.
  const rounds = []
  for (let i = 0; i <= repeats; i++) {
    const diff = await timed(() => diffAll(pairs))
    const theirDiff = await peer.ask({ diff: 'words', pairs: pairs.length })
    const label = await timed(() => labelFile(file, tokenizer, { out: out('emend') }))
    const theirLabel = await peer.ask({ label: out('python') })
    if (i > 0) rounds.push({ diff, theirDiff, label, theirLabel })
  }
  const line = (name, ours, theirs, characters = '') => {
    const [a, b, c, d] = [ours.seconds, theirs.seconds, ours.cpu, theirs.cpu]
    row([
      name,
      a.toFixed(2),
      b.toFixed(2),
      (b / a).toFixed(2),
      c.toFixed(2),
      d.toFixed(2),
      (d / c).toFixed(2),
      characters,
    ])
  }
  const of = side => ({
    seconds: median(rounds.map(round => round[side].seconds)),
    cpu: median(rounds.map(round => round[side].cpu)),
  })
  const { diff, theirDiff } = rounds[0]
  line('diff, words', of('diff'), of('theirDiff'), `${edited(diff.value)} / ${theirDiff.edited}`)
  const sample = pairs.slice(0, BY_CHARACTER)
  const ours = await timed(() => diffAll(sample))
  const theirs = await peer.ask({ diff: 'characters', pairs: sample.length })
  line(`diff, characters (${sample.length})`, ours, theirs, `${edited(ours.value)} / ${theirs.edited}`)
  line('end to end', of('label'), of('theirLabel'))
  const [a, b] = ['emend', 'python'].map(side => statSync(out(side)).size / 1e6)
  console.log(`written: ${a.toFixed(0)} MB and ${b.toFixed(0)} MB`)
}
peer?.end()
rmSync(folder, { recursive: true })
