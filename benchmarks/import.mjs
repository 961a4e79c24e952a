// Records a second into a store, and memory while they come in. Run after `npm run build`:
//   node benchmarks/import.mjs [--records 1000000] [--gb 5] [--kinds jsonl,jsonl.gz,csv,parquet] [--keep DIR]
// First `--records` pairs of draft and final, then as many preferences and edits with a prompt of their own each (which is two rows a
// record), are imported from JSON Lines, and again, which changes nothing. Then a file of `--gb` (unpacked) of every kind is read from
// end to end, with a redaction that keeps all of it out of the store, so that only reading is measured. Each runs in a process of its
// own; its peak is what the system says (maxrss).
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createGzip } from 'node:zlib'
import { writeRows } from '../packages/emend/dist/data/formats/containers/write.js'
import { importFile } from '../packages/emend/dist/data/formats/import.js'
import { Store } from '../packages/emend/dist/data/store/index.js'

const { values: options } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    gb: { type: 'string', default: '5' },
    kinds: { type: 'string', default: 'jsonl,jsonl.gz,csv,parquet' },
    keep: { type: 'string' },
    child: { type: 'string' },
    store: { type: 'string' },
    read: { type: 'boolean', default: false },
  },
})

const WORDS = 'the cat sat on a mat while colour faded and people walked along streets of stone toward evening'.split(
  ' ',
)

/** Some words, always the same for a number. */
function words(seed, n) {
  let text = WORDS[seed % WORDS.length]
  for (let i = 1; i < n; i++) {
    seed = (seed * 48271 + 11) % 2147483647
    text += ` ${WORDS[(seed >> 4) % WORDS.length]}`
  }
  return text
}

const pair = i => ({ draft: `${words(i, 25)} ${i}.`, final: `${words(i, 24)} so ${i}.` })
const preference = i => ({
  prompt: `Question ${i}: ${words(i, 12)}?`,
  chosen: `${words(i + 1, 25)} ${i}.`,
  rejected: `${words(i + 2, 25)}.`,
})
const edit = i => ({ prompt: `Question ${i}: ${words(i, 12)}?`, ...pair(i) })

/** Writes JSON Lines of records 0 to n. */
function writeLines(path, record, n) {
  const file = openSync(path, 'w')
  let text = ''
  for (let i = 0; i < n; i++) {
    text += `${JSON.stringify(record(i))}\n`
    if (text.length > 1 << 20 || i === n - 1) {
      writeSync(file, text)
      text = ''
    }
  }
  closeSync(file)
}

if (options.child) {
  const rss = []
  const store = await Store.open(options.store)
  const start = performance.now()
  const before = process.cpuUsage()
  const report = await importFile(store, options.child, {
    ...(options.read && { redact: () => undefined }),
    onProgress: read => read % 10_000 === 0 && rss.push(process.memoryUsage.rss() / 1e6),
  })
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(before)
  await store.close()
  const median = list => list.toSorted((a, b) => a - b)[list.length >> 1]
  const tenth = Math.max(1, Math.floor(rss.length / 10))
  const [early, late] = [rss.slice(tenth, 2 * tenth + 1), rss.slice(-tenth)].map(median)
  console.log(
    JSON.stringify({
      ...report,
      seconds,
      cpu: (user + system) / 1e6,
      early,
      late,
      peak: process.resourceUsage().maxRSS / 1e3,
    }),
  )
} else await main()

async function main() {
  const folder = options.keep ?? mkdtempSync(join(tmpdir(), 'emend-import-'))
  mkdirSync(folder, { recursive: true })
  const n = Number(options.records)
  if (n > 0) {
    console.log('                      new     seconds   records/s   per CPU s   MB after 1/10   at the end   peak')
    for (const [name, record] of Object.entries({ pairs: pair, preferences: preference, edits: edit })) {
      const file = join(folder, `${name}.jsonl`)
      if (!existsSync(file)) writeLines(file, record, n)
      const store = join(folder, `${name}.db`)
      for (const round of ['', ', again']) {
        const { read, added, seconds, cpu, early, late, peak } = child(file, store)
        const cells = [
          added,
          seconds.toFixed(1),
          Math.round(read / seconds),
          Math.round(read / cpu),
          early.toFixed(0),
          late.toFixed(0),
          peak.toFixed(0),
        ]
        console.log(
          `${(name + round).padEnd(16)} ${cells.map((cell, i) => String(cell).padStart([8, 12, 12, 12, 16, 13, 7][i])).join(' ')}`,
        )
      }
      rmSync(store)
      if (!options.keep) rmSync(file)
    }
  }
  const bytes = Number(options.gb) * 1e9
  if (bytes > 0) {
    console.log('\nread only         GB unpacked   records   seconds   records/s   MB/s unpacked   peak MB')
    for (const kind of options.kinds.split(',')) {
      const file = join(folder, `large.${kind}`)
      const count = Math.ceil(bytes / JSON.stringify(preference(1e6)).length)
      if (!existsSync(file)) await writeLarge(file, kind, count)
      const { read, seconds, peak } = child(file, join(folder, 'read.db'), '--read')
      const cells = [
        (bytes / 1e9).toFixed(1),
        read,
        seconds.toFixed(0),
        Math.round(read / seconds),
        (bytes / 1e6 / seconds).toFixed(0),
        peak.toFixed(0),
      ]
      console.log(
        `${`${kind} (${(statSync(file).size / 1e9).toFixed(2)})`.padEnd(17)} ${cells.map((cell, i) => String(cell).padStart([11, 9, 9, 11, 15, 9][i])).join(' ')}`,
      )
      if (!options.keep) rmSync(file)
    }
  }
  if (!options.keep) rmSync(folder, { recursive: true })
}

/** Writes a large file of preferences, of any kind. */
async function writeLarge(path, kind, n) {
  if (kind === 'jsonl') return writeLines(path, preference, n)
  if (kind === 'jsonl.gz') {
    const packed = createGzip({ level: 1 })
    const file = createWriteStream(path)
    packed.pipe(file)
    let text = ''
    for (let i = 0; i < n; i++) {
      text += `${JSON.stringify(preference(i))}\n`
      if (text.length < 1 << 20 && i < n - 1) continue
      if (!packed.write(text)) await new Promise(resolve => packed.once('drain', resolve))
      text = ''
    }
    packed.end()
    return finished(file)
  }
  async function* records() {
    for (let i = 0; i < n; i++) yield preference(i)
  }
  await writeRows(path, { container: kind }, records())
}

function child(file, store, ...flags) {
  const script = fileURLToPath(import.meta.url)
  const { status, stdout } = spawnSync(process.execPath, [script, '--child', file, '--store', store, ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`the import of ${file} ended with ${status}`)
  return JSON.parse(stdout)
}
