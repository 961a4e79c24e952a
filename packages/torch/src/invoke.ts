/** One call of an operator: picks the overload, writes the argument words, calls, and wraps the results. */
import { deviceId, devices } from './device.js'
import { type DType, dtypeCode, dtypeName, isDType } from './dtype.js'
import { native } from './native.js'
import { type Kind, parseSchema, type Schema } from './schema.js'
import { Tensor } from './tensor.js'

// The tags of the words, as in native/dispatch.h.
const NONE = 0
const TENSOR = 1
const INT = 2
const DOUBLE = 3
const BOOL = 4
const STRING = 5
const TENSORS = 6
const INTS = 7
const DOUBLES = 8
const BOOLS = 9
const DEFAULT = 10
const SCALARS = 11
const SAME = 12

const kinds: readonly Kind[] = [
  'tensor',
  'int',
  'ints',
  'bool',
  'scalar',
  'float',
  'dtype',
  'device',
  'tensors',
  'optional tensors',
  'floats',
  'bools',
  'scalars',
  'string',
  'memory format',
  'unsupported',
]
const K_TENSOR = 0
const K_INT = 1
const K_INTS = 2
const K_BOOL = 3
const K_SCALAR = 4
const K_FLOAT = 5
const K_DTYPE = 6
const K_DEVICE = 7
const K_TENSORS = 8
const K_OPTIONAL_TENSORS = 9
const K_FLOATS = 10
const K_BOOLS = 11
const K_SCALARS = 12
const K_STRING = 13
const K_MEMORY_FORMAT = 14

const memoryFormats: Readonly<Record<string, number>> = {
  contiguous_format: 0,
  preserve_format: 1,
  channels_last: 2,
  channels_last_3d: 3,
}
/** `at::Reduction`: the loss operators take it as an int. */
const reductions: Readonly<Record<string, number>> = { none: 0, mean: 1, sum: 2 }
/** In-place operators after which shape or dtype may be others. */
const reshaping =
  /^(squeeze|unsqueeze|t|transpose|swapaxes|swapdims|as_strided|resize|resize_as|set|set_data|detach)_?$/

interface Slot {
  readonly name: string
  readonly kind: number
  readonly optional: boolean
  readonly required: boolean
  readonly length: number
  readonly keywordOnly: boolean
  readonly written: boolean
  /** The largest int; more pieces than this would be made one by one until memory is gone. */
  readonly most: number
}

/** Ints that say into how many tensors one is cut: each result takes a word of the buffer. */
const pieces = /^(chunks|sections)$/
const MOST_PIECES = 1 << 19

/** One overload, ready to be called. */
interface Overload {
  readonly id: number
  readonly slots: readonly Slot[]
  /** The place of `self` for a method call. */
  readonly self: number
  readonly single: boolean
  readonly names: readonly (string | null)[]
  readonly resultKinds: readonly Kind[]
  readonly writes: boolean
  readonly reshapes: boolean
}

/** A public name with its overloads in schema order; they are looked up at the first call. */
export class Operator {
  overloads: readonly Overload[] | null = null
  constructor(
    readonly label: string,
    readonly path: string,
    readonly overloadNames: readonly string[],
    /** Whether keyword-only arguments may be given by place too, as `torch.unsafe.call` allows. */
    readonly positional = false,
  ) {}
}

/** Raised for a wrong argument; `operator` and `argument` are for programs, the message is for people. */
export class ArgumentError extends TypeError {
  override name = 'TypeError'
  constructor(
    message: string,
    readonly operator: string,
    readonly argument: string | null,
  ) {
    super(message)
  }
}

function resolve(operator: Operator): readonly Overload[] {
  const found: Overload[] = []
  for (const name of operator.overloadNames) {
    const id = native.find(operator.path, name)
    if (id >= 0) found.push(prepare(id, parseSchema(native.schema(id)), operator.positional))
  }
  if (found.length === 0) throw new Error(`${operator.label}: libtorch ${native.version()} has no such operator`)
  return (operator.overloads = found)
}

function prepare(id: number, schema: Schema, positional: boolean): Overload {
  const slots = schema.arguments.map(a => ({
    name: a.name,
    kind: kinds.indexOf(a.kind),
    optional: a.optional,
    required: a.fallback === null,
    length: a.length,
    keywordOnly: a.keywordOnly && !positional,
    written: a.written,
    most: pieces.test(a.name) ? MOST_PIECES : Number.MAX_SAFE_INTEGER,
  }))
  const base = schema.name.replace(/^.*::/, '')
  return {
    id,
    slots,
    self: slots.findIndex(s => s.name === 'self'),
    single: schema.results.length === 1 && schema.results[0]!.kind === 'tensor',
    names: schema.results.map(r => r.name),
    resultKinds: schema.results.map(r => r.kind),
    writes: slots.some(s => s.written),
    reshapes: reshaping.test(base),
  }
}

type Options = Readonly<Record<string, unknown>>

// Why the last overload did not fit, for the message when none does.
let failedAt = 0
let failedWith: 'kind' | 'missing' | 'extra' | 'unknown' | 'twice' = 'kind'
let failedValue: unknown
let failedKey = ''

/** Arguments that an in-place operator writes to, by place, until its call has ended. */
const written: unknown[] = []

/** Calls the operator; `self` is undefined for a function, the tensor for a method. */
export function invoke(operator: Operator, self: Tensor | undefined, args: readonly unknown[]): unknown {
  const overloads = operator.overloads ?? resolve(operator)
  let given = args.length
  let options: Options | null = null
  if (given > 0) {
    const last = args[given - 1]
    if (isOptions(last)) {
      options = last
      given--
    }
  }
  for (let i = 0; i < overloads.length; i++) {
    const overload = overloads[i]!
    if (marshal(operator, overload, self, args, given, options)) return run(overload)
  }
  throw explain(operator, overloads, self, args, given, options)
}

function isOptions(value: unknown): value is Options {
  if (typeof value !== 'object' || value === null || value instanceof Tensor || Array.isArray(value)) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Writes the argument words; false, with the reason in `failed…`, when the arguments do not fit this overload. */
function marshal(
  operator: Operator,
  overload: Overload,
  self: Tensor | undefined,
  args: readonly unknown[],
  given: number,
  options: Options | null,
): boolean {
  const { slots } = overload
  const { words } = native
  const selfAt = self === undefined ? -1 : overload.self
  let position = 0
  let used = 0
  let count = 0 // arguments up to the last one that is not its default
  let end = 2
  let at = 2
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i]!
    let value: unknown
    if (i === selfAt) value = self
    else if (!slot.keywordOnly && position < given) {
      value = args[position++]
      if (options !== null && Object.hasOwn(options, slot.name)) return fail(i, 'twice', undefined, slot.name)
    } else if (options !== null && Object.hasOwn(options, slot.name)) {
      value = options[slot.name]
      used++
    }
    if (value === undefined) {
      if (slot.required) return fail(i, 'missing', undefined, '')
      words[at++] = DEFAULT
      continue
    }
    if (value === null) {
      if (!slot.optional) return fail(i, 'kind', value, '')
      words[at++] = NONE
    } else {
      const next = write(operator, slot, value, at)
      if (next < 0) return fail(i, 'kind', value, '')
      at = next
      if (slot.written) written[i] = value
    }
    count = i + 1
    end = at
  }
  if (position < given) return fail(slots.length, 'extra', args[position], '')
  if (options !== null && used < Object.keys(options).length) {
    const unknown = Object.keys(options).find(key => !slots.some((s, i) => s.name === key && i !== selfAt))
    if (unknown !== undefined) return fail(slots.length, 'unknown', undefined, unknown)
  }
  if (end > words.length - 64)
    throw new RangeError(`${operator.label}: arguments of more than ${words.length} words; make a tensor of them`)
  words[0] = overload.id
  words[1] = count
  return true
}

function fail(at: number, why: typeof failedWith, value: unknown, key: string): false {
  failedAt = at
  failedWith = why
  failedValue = value
  failedKey = key
  return false
}

/** A number that may be an int; bigints that JavaScript's numbers hold exactly are welcome too. */
function whole(value: unknown): number {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : Number.NaN
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : Number.NaN
  }
  return Number.NaN
}

/** Writes one value at `at` and gives the place behind it, or -1 when the value is of another kind. */
function write(operator: Operator, slot: Slot, value: unknown, at: number): number {
  const { words } = native
  switch (slot.kind) {
    case K_TENSOR:
      if (!(value instanceof Tensor)) return -1
      if (value.handle === 0) throw freed(operator, `argument '${slot.name}'`, slot.name)
      words[at] = TENSOR
      words[at + 1] = value.handle
      return at + 2
    case K_INT: {
      const number =
        typeof value === 'string' && slot.name === 'reduction' ? (reductions[value] ?? Number.NaN) : whole(value)
      if (!(number <= slot.most)) return -1
      words[at] = INT
      words[at + 1] = number
      return at + 2
    }
    case K_SCALAR:
      if (typeof value === 'number') {
        words[at] = Number.isSafeInteger(value) ? INT : DOUBLE
        words[at + 1] = value
        return at + 2
      }
      if (typeof value === 'bigint') {
        const number = whole(value)
        if (Number.isNaN(number)) return -1
        words[at] = INT
        words[at + 1] = number
        return at + 2
      }
      if (typeof value !== 'boolean') return -1
      words[at] = BOOL
      words[at + 1] = value ? 1 : 0
      return at + 2
    case K_FLOAT:
      if (typeof value !== 'number') return -1
      words[at] = DOUBLE
      words[at + 1] = value
      return at + 2
    case K_BOOL:
      if (typeof value !== 'boolean') return -1
      words[at] = BOOL
      words[at + 1] = value ? 1 : 0
      return at + 2
    case K_INTS: {
      if (!Array.isArray(value)) {
        const number = slot.length > 0 ? whole(value) : Number.NaN
        if (Number.isNaN(number)) return -1
        words[at] = INT
        words[at + 1] = number
        return at + 2
      }
      words[at] = INTS
      words[at + 1] = value.length
      for (let i = 0; i < value.length; i++) {
        const number = whole(value[i])
        if (Number.isNaN(number)) return -1
        words[at + 2 + i] = number
      }
      return at + 2 + value.length
    }
    case K_DTYPE:
      if (!isDType(value)) return -1
      words[at] = INT
      words[at + 1] = dtypeCode[value]
      return at + 2
    case K_DEVICE: {
      const id = deviceId(value)
      if (id < 0) return -1
      words[at] = STRING
      words[at + 1] = id
      return at + 2
    }
    case K_TENSORS:
    case K_OPTIONAL_TENSORS:
      if (!Array.isArray(value)) return -1
      words[at] = TENSORS
      words[at + 1] = value.length
      for (let i = 0; i < value.length; i++) {
        const part: unknown = value[i]
        if (part instanceof Tensor) {
          if (part.handle === 0) throw freed(operator, `argument '${slot.name}[${i}]'`, slot.name)
          words[at + 2 + i] = part.handle
        } else if (part === null && slot.kind === K_OPTIONAL_TENSORS) words[at + 2 + i] = 0
        else return -1
      }
      return at + 2 + value.length
    case K_FLOATS:
    case K_BOOLS: {
      const type = slot.kind === K_FLOATS ? 'number' : 'boolean'
      if (!Array.isArray(value) || value.some(part => typeof part !== type)) return -1
      words[at] = slot.kind === K_FLOATS ? DOUBLES : BOOLS
      words[at + 1] = value.length
      for (let i = 0; i < value.length; i++) words[at + 2 + i] = Number(value[i])
      return at + 2 + value.length
    }
    case K_SCALARS:
      if (!Array.isArray(value) || value.some(part => typeof part !== 'number')) return -1
      words[at] = SCALARS
      words[at + 1] = value.length
      for (let i = 0; i < value.length; i++) {
        words[at + 2 + 2 * i] = Number.isSafeInteger(value[i]) ? 1 : 0
        words[at + 3 + 2 * i] = value[i]
      }
      return at + 2 + 2 * value.length
    case K_STRING: {
      const id = typeof value === 'string' ? intern(value) : -1
      if (id < 0) return -1
      words[at] = STRING
      words[at + 1] = id
      return at + 2
    }
    case K_MEMORY_FORMAT:
      if (typeof value !== 'string' || !Object.hasOwn(memoryFormats, value)) return -1
      words[at] = INT
      words[at + 1] = memoryFormats[value]!
      return at + 2
    default:
      return -1
  }
}

const interned = new Map<string, number>()

/** The number of a string that the engine keeps for good; -1 for what no operator's mode or equation can be. */
function intern(text: string): number {
  let id = interned.get(text)
  if (id === undefined) {
    if (text.length > 1024 || interned.size > 65536) return -1
    id = native.intern(text)
    interned.set(text, id)
  }
  return id
}

function freed(operator: Operator, where: string, argument: string): ArgumentError {
  return new ArgumentError(`tensor used after it was freed (${operator.label}, ${where})`, operator.label, argument)
}

function run(overload: Overload): unknown {
  if (!overload.writes) {
    native.call()
    return results(overload)
  }
  try {
    native.call()
    return results(overload)
  } finally {
    written.length = 0
  }
}

function results(overload: Overload): unknown {
  const { words } = native
  if (overload.single && words[1] === TENSOR) return new Tensor(words[2]!)
  const count = words[0]!
  let at = 1
  const list: unknown[] = []
  for (let r = 0; r < count; r++) {
    const tag = words[at++]!
    if (tag === NONE) list.push(null)
    else if (tag === TENSOR) list.push(new Tensor(words[at++]!))
    else if (tag === SAME) list.push(takeWritten(overload, words[at++]!))
    else if (tag === BOOL) list.push(words[at++] !== 0)
    else if (tag === INT) list.push(overload.resultKinds[r] === 'dtype' ? dtypeName(words[at++]!) : words[at++])
    else if (tag === DOUBLE) list.push(words[at++])
    else {
      const length = words[at++]!
      const parts = Array.from(words.subarray(at, at + length))
      at += length
      list.push(tag === TENSORS ? parts.map(handle => (handle === 0 ? null : new Tensor(handle))) : parts)
    }
  }
  if (count === 0) return undefined
  if (count === 1) return list[0]
  if (overload.names[0] === null) return list
  return Object.fromEntries(list.map((result, i) => [overload.names[i] ?? String(i), result]))
}

/** An in-place operator gives back the very object it was called on. */
function takeWritten(overload: Overload, at: number): unknown {
  const value = written[at]
  if (overload.reshapes && value instanceof Tensor) value.forget()
  return value
}

const kindText: Readonly<Record<Kind, string>> = {
  tensor: 'Tensor',
  tensors: 'Tensor[]',
  'optional tensors': '(Tensor | null)[]',
  int: 'integer',
  ints: 'integer[]',
  float: 'number',
  floats: 'number[]',
  bool: 'boolean',
  bools: 'boolean[]',
  scalar: 'number',
  scalars: 'number[]',
  string: 'string',
  dtype: 'dtype',
  device: 'device',
  'memory format': 'memory format',
  unsupported: 'left out',
}

function expected(slot: Slot): string[] {
  const kind = kinds[slot.kind]!
  const text =
    kind === 'dtype'
      ? `dtype ('float32', 'int64', 'bool', …)`
      : kind === 'device'
        ? `device (${devices().join(', ')})`
        : kind === 'memory format'
          ? Object.keys(memoryFormats).join(' | ')
          : slot.most < Number.MAX_SAFE_INTEGER
            ? `integer of at most ${slot.most}`
            : kindText[kind]
  return [text, ...(slot.kind === K_INTS && slot.length > 0 ? ['integer'] : []), ...(slot.optional ? ['null'] : [])]
}

/** What a value is, for messages: `string "x"`, `number 2.7`, `Tensor [2, 3] float32`. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (value instanceof Tensor) {
    try {
      return value.disposed ? 'a freed Tensor' : `Tensor [${value.shape.join(', ')}] ${value.dtype}`
    } catch {
      return 'an object made to look like a Tensor'
    }
  }
  if (typeof value === 'string') return `string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`
  if (typeof value === 'bigint') return `bigint ${value}n`
  if (Array.isArray(value)) {
    const odd = value.findIndex(part => !Number.isSafeInteger(part))
    return odd >= 0 && typeof value[odd] !== 'object'
      ? `an array with ${describe(value[odd])} at ${odd}`
      : `an array of ${value.length}`
  }
  if (typeof value === 'object') return `an object (${value.constructor?.name ?? 'without prototype'})`
  if (typeof value === 'function') return 'a function'
  return `${typeof value} ${String(value)}`
}

/** The error for arguments that fit no overload: that of the overload, or overloads, that they fitted furthest. */
function explain(
  operator: Operator,
  overloads: readonly Overload[],
  self: Tensor | undefined,
  args: readonly unknown[],
  given: number,
  options: Options | null,
): ArgumentError {
  let furthest = -1
  let best: { overload: Overload; why: typeof failedWith; value: unknown; key: string }[] = []
  for (const overload of overloads) {
    if (marshal(operator, overload, self, args, given, options)) continue
    // A wrong kind at a place says more than a missing or surplus argument there.
    const score =
      failedAt * 4 + (failedWith === 'kind' ? 3 : failedWith === 'unknown' ? 2 : failedWith === 'missing' ? 1 : 0)
    const entry = { overload, why: failedWith, value: failedValue, key: failedKey, at: failedAt }
    const tooMany = failedWith === 'extra' && best.some(b => b.why !== 'extra')
    if (tooMany) continue
    if (score > furthest || best.every(b => b.why === 'extra')) best = [entry]
    else if (score === furthest) best.push(entry)
    else continue
    furthest = score
  }
  written.length = 0
  const { label } = operator
  const first = best[0]!
  if (first.why === 'unknown' || first.why === 'twice') {
    if (first.why === 'twice')
      return new ArgumentError(`${label}: argument '${first.key}' is given twice`, label, first.key)
    const names = overloads.flatMap(o =>
      o.slots.filter((s, i) => s.kind < 15 && i !== (self ? o.self : -1)).map(s => s.name),
    )
    const near = nearest(first.key, names)
    return new ArgumentError(
      `${label}: no argument '${first.key}'${near ? `; did you mean '${near}'?` : ''}`,
      label,
      first.key,
    )
  }
  if (first.why === 'extra') {
    const most = Math.max(...overloads.map(o => o.slots.filter(s => !s.keywordOnly).length - (self ? 1 : 0)))
    return new ArgumentError(`${label}: at most ${most} arguments and options, got ${given}`, label, null)
  }
  const at = Math.floor(furthest / 4)
  const slot = first.overload.slots[at]!
  const types = [...new Set(best.flatMap(b => (b.overload.slots[at] ? expected(b.overload.slots[at]) : [])))]
  const index = at + (self !== undefined && first.overload.self >= 0 && at > first.overload.self ? 0 : 1)
  const place = slot.keywordOnly ? 'option' : ordinal(index)
  return new ArgumentError(
    `${label}: argument '${slot.name}' (${place}) must be ${types.join(' | ')}, got ${describe(first.value)}`,
    label,
    slot.name,
  )
}

function ordinal(n: number): string {
  return `${n}${n === 1 ? 'st' : n === 2 ? 'nd' : n === 3 ? 'rd' : 'th'}`
}

/** The name at the smallest edit distance, if it is near enough to be meant. */
function nearest(name: string, names: readonly string[]): string | null {
  let best: string | null = null
  let least = Math.max(2, Math.floor(name.length / 2)) + 1
  for (const candidate of new Set(names)) {
    const distance = editDistance(name, candidate)
    if (distance < least) {
      least = distance
      best = candidate
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}

/** The types that generated signatures name. */
export type { DType }
