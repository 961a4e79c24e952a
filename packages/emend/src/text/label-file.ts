/** A file of draft/final pairs → a file, or a stream, of token labels. */
import { createWriteStream, existsSync, openSync, renameSync, rmSync, statSync, type WriteStream } from 'node:fs'
import { dirname } from 'node:path'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { asRecord, promptField, textField } from '../data/fields.js'
import { readJsonl } from '../data/jsonl.js'
import { EmendError, Interrupted, UsageError } from '../errors.js'
import { makeFolder } from '../pipeline/atomic-file.js'
import { LabelLines } from './label-lines.js'
import { labelBatches } from './labelled.js'
import type { Tokenizer } from './tokenizer.js'

/** How a file is labelled. */
export interface LabelFileOptions {
  /** A file, there whole at the end or not at all; or a stream, such as stdout, which gets the lines as they are ready. */
  readonly out: string | Writable
  readonly signal?: AbortSignal
  /** Told after each pair how many are done. */
  readonly onPair?: (done: number) => void
}

/** Bytes written at once. */
const CHUNK = 1 << 16

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
    const lines = new LabelLines()
    for await (const batch of labelBatches(readPairs(path, report), tokenizer))
      for (const labelled of batch) {
        if (options.signal?.aborted)
          throw new Interrupted('stopped; labels are made in one go, so run the same command again')
        ratios += labelled.editRatio
        lines.add(labelled)
        report.pairs++
        options.onPair?.(report.pairs)
        if (lines.length < CHUNK) continue
        await write(lines.take())
      }
    await write(lines.take())
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
async function writing(out: string | Writable, body: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>) {
  const name = typeof out === 'string' ? out : 'stdout'
  // A promise a write, since a stream that failed tells only the callbacks.
  const writeTo = (stream: Writable) => (bytes: Uint8Array) =>
    new Promise<void>((resolve, reject) =>
      stream.write(bytes, error => (error ? reject(unwritable(name, error)) : resolve())),
    )
  if (typeof out !== 'string') return body(writeTo(out))
  const temporary = `${out}.${process.pid}.tmp`
  const stream = openFor(out, temporary)
  stream.on('error', () => {})
  try {
    await body(writeTo(stream))
    stream.end()
    await finished(stream)
    renameSync(temporary, out)
  } catch (error) {
    stream.destroy()
    rmSync(temporary, { force: true })
    throw unwritable(out, error)
  }
}

/** Opens the file before the work begins, so that what cannot be written is said at once. */
function openFor(out: string, temporary: string): WriteStream {
  if (existsSync(out) && statSync(out).isDirectory())
    throw new UsageError(`${out}: a folder, expected the name of a file to write`)
  try {
    makeFolder(dirname(out))
    return createWriteStream(temporary, { fd: openSync(temporary, 'w'), flush: true })
  } catch (error) {
    throw unwritable(out, error)
  }
}

/** What the system refused, in a line; a pipe whose reader has left keeps its own error. */
function unwritable(name: string, error: unknown): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (syscall === undefined || code === 'EPIPE') return error
  return new EmendError(`${name}: cannot be written (${code === 'ENOSPC' ? 'no room left: ENOSPC' : code})`, {
    cause: error,
  })
}
