/** `emend label`: draft/final pairs in, a line of token labels out for each. */
import { createWriteStream, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { Command } from 'commander'
import { asRecord, promptField, textField } from '../../data/fields.js'
import { readJsonl } from '../../data/jsonl.js'
import { labelPairs } from '../../text/labelled.js'
import { Tokenizer } from '../../text/tokenizer.js'

interface LabelOptions {
  readonly tokenizer: string
  readonly out?: string
}

/** The command, to be added to the program. */
export function labelCommand(): Command {
  return new Command('label')
    .description('draft/final pairs → labels on the tokens of any tokenizer, one JSON line a pair')
    .argument('<file>', 'JSON Lines of {draft, final, prompt?}; .gz is unpacked')
    .requiredOption('--tokenizer <path>', 'a tokenizer.json, or the folder that holds one')
    .option('--out <file>', 'write there instead of stdout; the file is there whole or not at all')
    .option('--json', 'accepted for likeness with the other commands: the lines are JSON either way')
    .action(async (file: string, options: LabelOptions) => {
      const count = await label(file, options)
      const { pairs, repaired } = count
      const mended = repaired > 0 ? `; ${repaired} lone surrogates became U+FFFD` : ''
      const mean = pairs > 0 ? `, mean edit ratio ${(count.ratios / pairs).toFixed(3)}` : ''
      process.stderr.write(`labelled ${pairs} pairs${mean}${mended}\n`)
    })
}

interface Count {
  pairs: number
  /** Sum of the edit ratios. */
  ratios: number
  repaired: number
}

/** Labels a file, line by line, to stdout or to `--out`. */
async function label(file: string, { tokenizer: path, out }: LabelOptions): Promise<Count> {
  const tokenizer = await Tokenizer.load(path)
  const count: Count = { pairs: 0, ratios: 0, repaired: 0 }
  await writing(out, async write => {
    for await (const labelled of labelPairs(readPairs(file, count), tokenizer)) {
      count.pairs++
      count.ratios += labelled.edit_ratio
      await write(`${JSON.stringify(labelled)}\n`)
    }
  })
  return count
}

async function* readPairs(file: string, count: Count): AsyncGenerator<{ draft: string; final: string }> {
  for await (const { line, value } of readJsonl(file)) {
    const record = asRecord(value, file, line)
    const pair = { draft: textField(record, 'draft'), final: textField(record, 'final') }
    if (record.fields['prompt'] != null) promptField(record, 'prompt')
    for (const text of [pair.draft, pair.final]) count.repaired += loneSurrogates(text)
    yield pair
  }
}

function loneSurrogates(text: string): number {
  return text.isWellFormed() ? 0 : text.match(/\p{Surrogate}/gu)!.length
}

/** Runs `body` with a function that writes and waits; a file is written beside itself and renamed at the end. */
async function writing(out: string | undefined, body: (write: (text: string) => Promise<void>) => Promise<void>) {
  // A promise a write, since a stream that failed tells only the callbacks.
  const writeTo = (stream: Writable) => (text: string) =>
    new Promise<void>((resolve, reject) => stream.write(text, error => (error ? reject(error) : resolve())))
  if (out === undefined) return body(writeTo(process.stdout))
  mkdirSync(dirname(out), { recursive: true })
  const temporary = `${out}.${process.pid}.tmp`
  const stream = createWriteStream(temporary, { flush: true })
  stream.on('error', () => {})
  try {
    await body(writeTo(stream))
    stream.end()
    await finished(stream)
    renameSync(temporary, out)
  } catch (error) {
    stream.destroy()
    rmSync(temporary, { force: true })
    throw error
  }
}
