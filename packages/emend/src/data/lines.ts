/** Lines of a UTF-8 text file of any size, plain or gzipped, strictly decoded: bytes that are not UTF-8 are never replaced. */

import { isUtf8 } from 'node:buffer'
import { createReadStream, type ReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { createGunzip } from 'node:zlib'
import { DataError } from '../errors.js'

/** A line without its end, counted from 1. */
export interface TextLine {
  readonly line: number
  readonly text: string
}

/** A line that is not UTF-8, and the error that says so. */
export interface BrokenLine {
  readonly line: number
  readonly error: DataError
}

/** Told which share of a file has been read, 0 to 1. */
export type OnShare = (share: number) => void

const NEWLINE = 0x0a
const BOM = '\ufeff'
/** Bytes read at a time. */
const CHUNK = 1 << 17

/**
 * Streams the lines of a file. Only `\n` and `\r\n` end a line: JSON strings may hold U+2028, where Node's readline would cut.
 * A byte order mark is dropped; a last line without an end counts, an empty one after the last end does not.
 * @param path read as gzip if it ends in `.gz` or begins as gzip does
 * @throws DataError where the file cannot be read or unpacked
 */
export async function* readLines(path: string, onShare?: OnShare): AsyncGenerator<TextLine | BrokenLine> {
  for await (const lines of readLineBatches(path, onShare)) yield* lines
}

/** As {@link readLines}, the lines of a stretch of the file at a time: to wait for each would take longer than to read it. */
export async function* readLineBatches(path: string, onShare?: OnShare): AsyncGenerator<(TextLine | BrokenLine)[]> {
  // ignoreBOM keeps the mark, wrongly named as the option is; a line in the middle may start with U+FEFF and keep it.
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const decode = (bytes: Uint8Array | string, line: number): TextLine | BrokenLine => {
    try {
      const text = typeof bytes === 'string' ? bytes : decoder.decode(bytes)
      const start = line === 1 && text.startsWith(BOM) ? 1 : 0
      const end = text.endsWith('\r') ? -1 : undefined
      return { line, text: start === 0 && end === undefined ? text : text.slice(start, end) }
    } catch {
      const what = 'the line is not UTF-8; save the file as UTF-8 and try again'
      return { line, error: new DataError(what, { file: path, line }) }
    }
  }
  let line = 0
  let pending: Buffer[] = []
  let begun = false
  for await (const chunk of bytesOf(path, onShare)) {
    if (!begun) refuseOtherKinds(chunk, path)
    begun = true
    const end = chunk.lastIndexOf(NEWLINE)
    if (end < 0) {
      pending.push(chunk)
      continue
    }
    const whole = Buffer.concat([...pending, chunk.subarray(0, end)])
    pending = end + 1 < chunk.length ? [chunk.subarray(end + 1)] : []
    // Many lines are decoded at once; one by one only where one of them is broken.
    const lines = isUtf8(whole) ? whole.toString('utf8').split('\n') : linesOf(whole)
    yield Array.from<string | Buffer, TextLine | BrokenLine>(lines, text => decode(text, ++line))
  }
  if (pending.length > 0) yield [decode(Buffer.concat(pending), ++line)]
}

/** Files that people give where lines are read. */
const OTHER_KINDS = [
  ['SQLite format 3\0', 'an SQLite file, expected lines of text; what a store holds emend export writes as JSON Lines'],
  ['PAR1', 'a Parquet file, expected lines of text; emend import takes it into a store'],
] as const

/** @throws DataError where the file begins as one of them */
function refuseOtherKinds(start: Buffer, file: string): void {
  for (const [magic, what] of OTHER_KINDS)
    if (start.subarray(0, magic.length).toString('latin1') === magic) throw new DataError(what, { file })
}

function* linesOf(bytes: Buffer): Generator<Buffer> {
  let start = 0
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    yield bytes.subarray(start, end)
    start = end + 1
  }
  yield bytes.subarray(start)
}

/** The bytes of a file, unpacked if it is gzipped by its name or by its content. @throws DataError where it cannot be read */
export async function* bytesOf(path: string, onShare?: OnShare): AsyncGenerator<Buffer> {
  let file: ReadStream | undefined
  try {
    const packed = path.endsWith('.gz') || (await beginsAsGzip(path))
    const { size } = await stat(path)
    file = createReadStream(path, { highWaterMark: CHUNK })
    const unpacked = packed ? createGunzip({ chunkSize: CHUNK }) : undefined
    if (unpacked) file.once('error', error => unpacked.destroy(error)).pipe(unpacked)
    for await (const chunk of unpacked ?? file) {
      yield chunk as Buffer
      onShare?.(file.bytesRead / size)
    }
  } catch (error) {
    throw unreadable(path, error)
  } finally {
    file?.destroy()
  }
}

async function beginsAsGzip(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0)
    return buffer[0] === 0x1f && buffer[1] === 0x8b
  } finally {
    await file.close()
  }
}

/** The DataError for a file that the system or gzip refuses. */
function unreadable(path: string, error: unknown): DataError {
  const { code, message } = error as NodeJS.ErrnoException
  const what =
    code === 'ENOENT'
      ? 'no such file; check the path'
      : code === 'EISDIR'
        ? 'a folder, expected a file; name one of the files in it'
        : code === 'EACCES'
          ? 'not readable: permission denied'
          : code?.startsWith('Z_')
            ? `broken gzip data (${message}); fetch or pack the file again`
            : `cannot be read: ${message}`
  return new DataError(what, { file: path }, { cause: error })
}
