/** safetensors files: read by mapping them into memory, every field of the header checked first; written atomically. */

import { randomBytes } from 'node:crypto'
import { closeSync, fstatSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Device, DType } from './dtype.js'
import { mapFile } from './files.js'
import { noGrad, scope } from './scope.js'
import type { Tensor } from './tensor.js'

const DTYPES: Readonly<Record<string, { readonly dtype: DType; readonly bytes: number }>> = {
  F64: { dtype: 'float64', bytes: 8 },
  I64: { dtype: 'int64', bytes: 8 },
  F32: { dtype: 'float32', bytes: 4 },
  I32: { dtype: 'int32', bytes: 4 },
  F16: { dtype: 'float16', bytes: 2 },
  BF16: { dtype: 'bfloat16', bytes: 2 },
  U8: { dtype: 'uint8', bytes: 1 },
  BOOL: { dtype: 'bool', bytes: 1 },
}

const WIDTHS = new Map(Object.values(DTYPES).map(({ dtype, bytes }) => [dtype, bytes]))

/** The reference implementation's limit. */
const MAX_HEADER = 100_000_000

/** What a safetensors file says of one tensor; `begin` and `end` are bytes from the start of the file. */
export interface SafetensorsEntry {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

/** A header that has been checked against the file. */
export interface SafetensorsHeader {
  /** In the order of their bytes. */
  readonly entries: readonly SafetensorsEntry[]
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * Reads and checks a header without touching the tensors: the length against the file, the JSON, every dtype and shape,
 * and that the tensors' bytes follow each other without gap or overlap up to the end of the file.
 * @throws Error of one line naming the file, the tensor, and what was got and expected
 */
export function readSafetensorsHeader(path: string): SafetensorsHeader {
  const fail = (what: string): never => {
    throw new Error(`safetensors ${path}: ${what}`)
  }
  const file = openSync(path, 'r')
  let text = ''
  let size = 0
  let start = 0
  try {
    const status = fstatSync(file)
    if (!status.isFile()) fail('got something that is not a file')
    size = status.size
    if (size < 8) fail(`got ${size} bytes, expected at least the 8 of the header's length`)
    const length = Number(readExactly(file, 8, 0).readBigUInt64LE())
    if (length > MAX_HEADER) fail(`header: got a length of ${length} bytes, expected at most ${MAX_HEADER}`)
    if (length > size - 8) fail(`header: got a length of ${length} bytes, but the file ends after ${size - 8}`)
    start = 8 + length
    try {
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readExactly(file, length, 8))
    } catch {
      fail('header: got bytes that are not UTF-8')
    }
  } finally {
    closeSync(file)
  }

  let header: unknown
  try {
    header = JSON.parse(text)
  } catch (error) {
    fail(`header: got no JSON: ${(error as Error).message.replace(/\s+/g, ' ')}`)
  }
  if (!isRecord(header)) return fail('header: expected a JSON object')
  const twice = duplicateKey(text)
  if (twice !== undefined) fail(`header: got ${JSON.stringify(twice)} twice`)

  const metadata: Record<string, string> = {}
  const entries: SafetensorsEntry[] = []
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') {
      if (!isRecord(value)) return fail('__metadata__: expected an object of strings')
      for (const [key, note] of Object.entries(value)) {
        if (typeof note !== 'string') return fail(`__metadata__: ${JSON.stringify(key)}: expected a string`)
        metadata[key] = note
      }
      continue
    }
    entries.push(checkEntry(value, name, start, size, what => fail(`tensor ${JSON.stringify(name)}: ${what}`)))
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let end = start
  for (const entry of entries) {
    if (entry.begin !== end) {
      const [got, expected] = [entry.begin - start, end - start]
      fail(
        `tensor ${JSON.stringify(entry.name)}: data_offsets: ${got < expected ? 'overlap: ' : 'gap: '}` +
          `got a start of ${got}, expected ${expected}, where the tensor before it ends`,
      )
    }
    end = entry.end
  }
  if (end !== size) fail(`got ${size - start} bytes of data, expected ${end - start}, where the last tensor ends`)
  return { entries, metadata }
}

function checkEntry(
  value: unknown,
  name: string,
  start: number,
  size: number,
  fail: (what: string) => never,
): SafetensorsEntry {
  if (!isRecord(value)) return fail('expected an object with dtype, shape and data_offsets')
  for (const key of Object.keys(value)) {
    if (!['dtype', 'shape', 'data_offsets'].includes(key)) fail(`got an unknown field ${JSON.stringify(key)}`)
  }
  const { dtype, shape, data_offsets: offsets } = value
  const known = typeof dtype === 'string' && Object.hasOwn(DTYPES, dtype) ? DTYPES[dtype] : undefined
  if (!known) return fail(`dtype: got ${JSON.stringify(dtype)}, expected one of ${Object.keys(DTYPES).join(', ')}`)
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    return fail(`shape: got ${JSON.stringify(shape)}, expected whole numbers of at least 0`)
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    return fail(`data_offsets: got ${JSON.stringify(offsets)}, expected two whole numbers of at least 0`)
  }
  const [from, to] = offsets as [number, number]
  if (from > to) fail(`data_offsets: got a start of ${from} after the end ${to}`)
  if (to > size - start) fail(`data_offsets: got an end of ${to}, but there are ${size - start} bytes of data`)
  const bytes = shape.reduce((product: number, n: number) => product * n, known.bytes)
  if (bytes !== to - from) {
    fail(`data_offsets: got ${to - from} bytes, expected ${bytes} for ${String(dtype)} of shape [${shape}]`)
  }
  return { name, dtype: known.dtype, shape, begin: start + from, end: start + to }
}

/**
 * Reads every tensor of a file. The file is mapped, not read: on the CPU the tensors are views of the mapping (their pages
 * are loaded when used, and writing to a tensor does not write to the file), except those whose bytes are not aligned,
 * which are copied. Do not truncate the file while they live.
 * @throws Error of one line naming the file, the tensor, and what was got and expected
 */
export function readSafetensors(
  path: string,
  options: { readonly device?: Device } = {},
): { tensors: Map<string, Tensor>; metadata: Record<string, string> } {
  const { device = 'cpu' } = options
  const { entries, metadata } = readSafetensorsHeader(path)
  const tensors = scope(() => {
    const mapped = new Map<string, Tensor>()
    if (entries.length === 0) return mapped
    const file = mapFile(path)
    const end = entries.at(-1)!.end
    if (file.numel !== end) throw new Error(`safetensors ${path}: the file changed while it was read`)
    for (const { name, dtype, shape, begin, end } of entries) {
      const bytes = file.slice(0, begin, end)
      const aligned = begin % WIDTHS.get(dtype)! === 0 ? bytes : bytes.clone()
      mapped.set(name, aligned.view(dtype).view(shape).to(device))
    }
    return mapped
  })
  return { tensors, metadata: { ...metadata } }
}

/**
 * Writes a file that the reference library reads. It appears under its name complete or not at all: written under a
 * temporary name in the same folder, flushed to the disk, renamed, and the folder flushed. Tensors may be on any device.
 * @throws Error of one line when a dtype has no name in the format or the disk refuses; then no file is left behind
 */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): void {
  if (!(tensors instanceof Map)) throw new TypeError(`safetensors ${path}: expected a Map from names to tensors`)
  // The widest dtype first, as the reference does, so that every tensor is aligned.
  const rows = [...tensors].map(([name, tensor]) => {
    const code = Object.keys(DTYPES).find(key => DTYPES[key]!.dtype === tensor.dtype)
    if (!code) throw new Error(`safetensors ${path}: tensor ${JSON.stringify(name)}: cannot store ${tensor.dtype}`)
    if (name === '__metadata__') throw new Error(`safetensors ${path}: a tensor cannot be named __metadata__`)
    return { name, tensor, code, bytes: DTYPES[code]!.bytes }
  })
  rows.sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1))

  const header = new Map<string, unknown>()
  if (Object.keys(metadata).length > 0) header.set('__metadata__', metadata)
  let offset = 0
  for (const { name, tensor, code, bytes } of rows) {
    const end = offset + tensor.numel * bytes
    header.set(name, { dtype: code, shape: tensor.shape, data_offsets: [offset, end] })
    offset = end
  }
  // Not JSON.stringify of an object: it would put names that look like numbers first, and lose one named __proto__.
  const json = `{${[...header].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`
  const bytes = Buffer.from(json, 'utf8')
  const head = Buffer.alloc(8 + Math.ceil(bytes.length / 8) * 8, ' ')
  head.writeBigUInt64LE(BigInt(head.length - 8))
  bytes.copy(head, 8)

  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = openSync(temporary, 'wx')
    try {
      writeFully(file, head)
      for (const { tensor } of rows) {
        if (tensor.numel === 0) continue
        const data = scope(() =>
          noGrad(() => tensor.detach().to('cpu').contiguous().view([-1]).view('uint8').data() as Uint8Array),
        )
        writeFully(file, data)
      }
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  const folder = openSync(dirname(path), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

function readExactly(file: number, length: number, position: number): Buffer {
  const bytes = Buffer.alloc(length)
  let read = 0
  while (read < length) {
    const got = readSync(file, bytes, read, length - read, position + read)
    if (got === 0) throw new Error(`the file ended after ${position + read} bytes while it was read`)
    read += got
  }
  return bytes
}

function writeFully(file: number, bytes: Uint8Array): void {
  // A single write takes at most 2 GiB.
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(file, bytes, written, Math.min(bytes.length - written, 1 << 26))
  }
}

/** The first key that stands twice in one object of a valid JSON text, which JSON.parse would hide. */
function duplicateKey(json: string): string | undefined {
  const open: Set<string>[] = []
  for (const [token] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?|[{}]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (token.endsWith(':')) {
      const key = JSON.parse(token.slice(0, -1)) as string
      if (open.at(-1)!.has(key)) return key
      open.at(-1)!.add(key)
    }
  }
  return undefined
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
