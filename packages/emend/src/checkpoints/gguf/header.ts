/** Reads the header of a GGUF file: metadata and tensor list, each count, length and offset checked against the file. */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { EmendError } from '../../errors.js'
import {
  ALIGNMENT,
  LEAST_BYTES,
  MAGIC,
  OTHER_TYPES,
  TENSOR_TYPES,
  type TensorType,
  VALUE_TYPES,
  type Value,
  type ValueType,
} from './format.js'

/** One tensor of a file. */
export interface GgufTensor {
  readonly name: string
  readonly type: TensorType
  /** slowest dimension first, as PyTorch has it; the file has it the other way round */
  readonly shape: readonly number[]
  /** bytes from the start of the file */
  readonly begin: number
  readonly end: number
}

/** What a GGUF file says of itself. */
export interface GgufHeader {
  readonly path: string
  readonly metadata: ReadonlyMap<string, Value>
  readonly tensors: ReadonlyMap<string, GgufTensor>
}

/** Bytes read ahead. The header of a vocabulary of 256,000 tokens takes about 10 MB. */
const WINDOW = 1 << 20
/** The format's own limit. */
const LONGEST_NAME = 65_535
/** A nested array of arrays is legal; nobody writes one, and a lying file could nest without end. */
const DEEPEST = 4
const MOST_DIMENSIONS = 4
/** Far above what a vocabulary needs; in a file of many gigabytes, a length that lies could otherwise pass for true. */
const MOST_VALUES = 1 << 24
const LONGEST_HEADER = 1 << 28

/**
 * Reads and checks a header without touching the tensors. Nothing is allocated on the word of the file: counts and lengths
 * are held against the bytes that are left first.
 * @throws EmendError of one line naming the file, the key or tensor, what was got and what expected
 */
export function readGgufHeader(path: string): GgufHeader {
  const reader: Reader = new Reader(path)
  try {
    const magic = reader.uint32('magic')
    if (magic !== MAGIC) reader.fail('this is no GGUF file (it does not start with "GGUF")')
    const version = reader.uint32('version')
    if (version >>> 16 && !(version & 0xffff)) reader.fail('big-endian files are not supported')
    if (version !== 2 && version !== 3) reader.fail(`version: got ${version}, expected 2 or 3`)
    // A tensor takes a name's length, a dimension count, one dimension, a type and an offset; an entry a key, a type, a value.
    const tensorCount = reader.count('tensor count', 8 + 4 + 8 + 4 + 8)
    const valueCount = reader.count('metadata count', 8 + 1 + 4 + 1)
    const metadata = new Map<string, Value>()
    for (let i = 0; i < valueCount; i++) {
      const key = reader.name(`metadata ${i + 1} of ${valueCount}: key`)
      if (metadata.has(key)) reader.fail(`metadata: ${key}: stands there twice`)
      metadata.set(key, reader.value(reader.valueType(key), key))
    }
    const alignment = metadata.get('general.alignment') ?? ALIGNMENT
    if (
      typeof alignment !== 'number' ||
      alignment < 1 ||
      alignment > 1 << 20 ||
      !Number.isInteger(Math.log2(alignment))
    ) {
      reader.fail(`general.alignment: got ${JSON.stringify(alignment)}, expected a power of two`)
    }
    const listed: GgufTensor[] = []
    for (let i = 0; i < tensorCount; i++) listed.push(reader.tensor(i, tensorCount))
    const start = Math.ceil(reader.position / alignment) * alignment
    const tensors = placed(listed, start, alignment, reader)
    return { path, metadata, tensors }
  } finally {
    reader.close()
  }
}

/** Moves offsets to the start of the data, and checks that tensors are aligned, inside the file and do not overlap. */
function placed(listed: readonly GgufTensor[], start: number, alignment: number, reader: Reader) {
  const tensors = new Map<string, GgufTensor>()
  for (const { begin, end, ...rest } of listed) {
    if (tensors.has(rest.name)) reader.fail(`tensor ${rest.name}: stands there twice`)
    if (begin % alignment !== 0) {
      reader.fail(`tensor ${rest.name}: offset: got ${begin}, expected a multiple of ${alignment}`)
    }
    if (start + end > reader.size) {
      reader.fail(
        `tensor ${rest.name}: ends at byte ${start + end}, but the file has ${reader.size}: it is cut off; fetch it again`,
      )
    }
    tensors.set(rest.name, { ...rest, begin: start + begin, end: start + end })
  }
  let before: GgufTensor | undefined
  for (const tensor of [...tensors.values()].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (before && tensor.begin < before.end) reader.fail(`tensor ${tensor.name}: overlaps ${before.name}`)
    before = tensor
  }
  return tensors
}

/** A cursor over the file, reading a window at a time. */
class Reader {
  readonly size: number
  position = 0
  readonly #file: number
  readonly #window = Buffer.allocUnsafe(WINDOW)
  #from = 0
  #until = 0
  #values = 0

  constructor(readonly path: string) {
    try {
      this.#file = openSync(path, 'r')
    } catch (cause) {
      throw new EmendError(`${path}: cannot be read: ${(cause as Error).message}`, { cause })
    }
    const status = fstatSync(this.#file)
    this.size = status.size
    if (!status.isFile()) {
      this.close()
      throw new EmendError(`${path}: not a file, expected a GGUF file`)
    }
  }

  close(): void {
    closeSync(this.#file)
  }

  fail(what: string): never {
    throw new EmendError(`${this.path}: ${what}`)
  }

  uint32(what: string): number {
    const at = this.#take(4, what)
    return this.#window.readUInt32LE(at)
  }

  /** A 64-bit number of things that take at least `each` bytes, of which the rest of the file must have enough. */
  count(what: string, each: number): number {
    const value = this.#window.readBigUInt64LE(this.#take(8, what))
    const room = Math.floor((this.size - this.position) / each)
    if (value > BigInt(room)) {
      const left = this.size - this.position
      this.fail(
        `${what}: got ${value}, but the ${left} bytes that are left hold at most ${room}: the file is cut off or damaged`,
      )
    }
    return Number(value)
  }

  /** A key, or the name of a tensor: of a length that the format allows, and fit to be printed. */
  name(what: string): string {
    const name = this.string(what, LONGEST_NAME)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    if (/[\0-\x1f\x7f]/.test(name)) this.fail(`${what}: got ${JSON.stringify(name)}, expected no control characters`)
    return name
  }

  string(what: string, longest = Number.MAX_SAFE_INTEGER): string {
    const length = this.count(what, 1)
    if (length > longest) this.fail(`${what}: got a length of ${length}, expected at most ${longest}`)
    if (length > LONGEST_HEADER) this.fail(`${what}: got a text of ${length} bytes, longer than any model's`)
    if (length <= WINDOW) {
      const at = this.#take(length, what)
      return this.#window.toString('utf8', at, at + length)
    }
    const bytes = Buffer.allocUnsafe(length)
    for (let done = 0; done < length; ) {
      const part = Math.min(WINDOW, length - done)
      const at = this.#take(part, what)
      this.#window.copy(bytes, done, at, at + part)
      done += part
    }
    return bytes.toString('utf8')
  }

  valueType(key: string): ValueType {
    const code = this.uint32(key)
    return VALUE_TYPES[code] ?? this.fail(`metadata: ${key}: got a value of type ${code}, expected 0 to 12`)
  }

  value(type: ValueType, key: string, depth = 0): Value {
    if (type === 'string') return this.string(key)
    if (type !== 'array') return this.#scalar(type, key)
    if (depth === DEEPEST) this.fail(`metadata: ${key}: arrays are nested more than ${DEEPEST} deep`)
    const of = this.valueType(key)
    const length = this.count(key, LEAST_BYTES[of])
    this.#values += length
    if (this.#values > MOST_VALUES) this.fail(`metadata: ${key}: got ${length} values, more than any model has`)
    const values: Value[] = []
    for (let i = 0; i < length; i++) values.push(this.value(of, key, depth + 1))
    return values
  }

  tensor(index: number, of: number): GgufTensor {
    const name = this.name(`tensor ${index + 1} of ${of}: name`)
    const where = `tensor ${name}`
    const dimensions = this.uint32(where)
    if (dimensions < 1 || dimensions > MOST_DIMENSIONS) {
      this.fail(`${where}: got ${dimensions} dimensions, expected 1 to ${MOST_DIMENSIONS}`)
    }
    const sizes: number[] = []
    for (let i = 0; i < dimensions; i++) sizes.push(this.#scalar('uint64', where) as number)
    const code = this.uint32(where)
    const type = TENSOR_TYPES.get(code)
    if (!type) {
      const known = [...TENSOR_TYPES.values()].map(each => each.name).join(', ')
      this.fail(`${where}: type ${OTHER_TYPES.get(code) ?? code} is not supported, only ${known}`)
    }
    const row = sizes[0]!
    if (row % type.elements !== 0) {
      this.fail(`${where}: got rows of ${row} numbers, expected a multiple of ${type.elements} for ${type.name}`)
    }
    const begin = this.#scalar('uint64', where) as number
    // Products of lies may pass 2^53; they are then larger than any file, which is all that is asked of them.
    const bytes = sizes.reduce((product, n) => product * n, 1) * (type.bytes / type.elements)
    return { name, type, shape: sizes.reverse(), begin, end: begin + bytes }
  }

  #scalar(type: Exclude<ValueType, 'string' | 'array'>, key: string): number | boolean {
    const at = this.#take(LEAST_BYTES[type], key)
    const bytes = this.#window
    switch (type) {
      case 'uint8':
        return bytes.readUInt8(at)
      case 'int8':
        return bytes.readInt8(at)
      case 'uint16':
        return bytes.readUInt16LE(at)
      case 'int16':
        return bytes.readInt16LE(at)
      case 'uint32':
        return bytes.readUInt32LE(at)
      case 'int32':
        return bytes.readInt32LE(at)
      case 'float32':
        return bytes.readFloatLE(at)
      case 'float64':
        return bytes.readDoubleLE(at)
      case 'bool': {
        const value = bytes.readUInt8(at)
        return value < 2 ? value === 1 : this.fail(`metadata: ${key}: got a bool of ${value}, expected 0 or 1`)
      }
      case 'uint64':
      case 'int64': {
        const value = type === 'uint64' ? bytes.readBigUInt64LE(at) : bytes.readBigInt64LE(at)
        const number = Number(value)
        return Number.isSafeInteger(number) ? number : this.fail(`${key}: got ${value}, which no model needs`)
      }
    }
  }

  /** Where in the window the next `length` bytes stand; they are passed. */
  #take(length: number, what: string): number {
    if (length > this.size - this.position) {
      this.fail(`${what}: the file ends after ${this.size} bytes, in the middle of its header; fetch it again`)
    }
    if (this.position + length > LONGEST_HEADER) this.fail(`${what}: got a header longer than any model's`)
    if (this.position + length > this.#until) {
      this.#from = this.position
      this.#until = this.position
      const end = Math.min(this.size, this.position + WINDOW)
      while (this.#until < end) {
        const got = readSync(this.#file, this.#window, this.#until - this.#from, end - this.#until, this.#until)
        if (got === 0) this.fail('the file became shorter while it was read')
        this.#until += got
      }
    }
    const at = this.position - this.#from
    this.position += length
    return at
  }
}
