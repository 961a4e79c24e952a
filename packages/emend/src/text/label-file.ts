/** A file of draft/final pairs → a file, or a stream, of token labels. */
import { createWriteStream, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { asRecord, promptField, textField } from '../data/fields.js'
import { readJsonl } from '../data/jsonl.js'
import { Interrupted } from '../errors.js'
import { labelPairs } from './labelled.js'
import type { Tokenizer } from './tokenizer.js'

/** How a file is labelled. */
export interface LabelFileOptions {
  /** A file, there whole at the end or not at all; or a stream, such as stdout, which gets each line as it is ready. */
  readonly out: string | Writable
  readonly signal?: AbortSignal
  /** Told after each pair how many are done. */
  readonly onPair?: (done: number) => void
}

/** What was labelled. */
export interface LabelFileReport {
  pairs: number
  /** Mean edit ratio over tokens; 0 without pairs. */
  meanEditRatio: number
  /** Lone surrogates that became U+FFFD. */
  repaired: number
}

/**
 * Labels a JSON Lines file of `{draft, final, prompt?}`, a line of labels for each, in order, without holding the file in memory.
 *
 * @throws DataError naming file, line and field at the first broken record; Interrupted where the signal says so
 */
export async function labelFile(
  path: string,
  tokenizer: Tokenizer,
  options: LabelFileOptions,
): Promise<LabelFileReport> {
  const report: LabelFileReport = { pairs: 0, meanEditRatio: 0, repaired: 0 }
  let ratios = 0
  await writing(options.out, async write => {
    for await (const labelled of labelPairs(readPairs(path, report), tokenizer)) {
      if (options.signal?.aborted)
        throw new Interrupted('stopped; labels are made in one go, so run the same command again')
      ratios += labelled.edit_ratio
      await write(`${JSON.stringify(labelled)}\n`)
      report.pairs++
      options.onPair?.(report.pairs)
    }
  })
  if (report.pairs > 0) report.meanEditRatio = ratios / report.pairs
  return report
}

async function* readPairs(path: string, report: LabelFileReport): AsyncGenerator<{ draft: string; final: string }> {
  for await (const { line, value } of readJsonl(path)) {
    const record = asRecord(value, path, line)
    const pair = { draft: textField(record, 'draft'), final: textField(record, 'final') }
    if (record.fields['prompt'] != null) promptField(record, 'prompt')
    for (const text of [pair.draft, pair.final]) report.repaired += loneSurrogates(text)
    yield pair
  }
}

function loneSurrogates(text: string): number {
  return text.isWellFormed() ? 0 : text.match(/\p{Surrogate}/gu)!.length
}

/** Runs `body` with a function that writes and waits; a file is written beside itself and renamed at the end. */
async function writing(out: string | Writable, body: (write: (text: string) => Promise<void>) => Promise<void>) {
  // A promise a write, since a stream that failed tells only the callbacks.
  const writeTo = (stream: Writable) => (text: string) =>
    new Promise<void>((resolve, reject) => stream.write(text, error => (error ? reject(error) : resolve())))
  if (typeof out !== 'string') return body(writeTo(out))
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
