/** The tensor: a handle into the engine, with its metadata read when asked for. Operators are added in torch.ts. */
import { checkDevice, type Device, deviceName } from './device.js'
import { arrayFor, type DType, dtypeCode, dtypeName, dtypeOf, type TypedArray } from './dtype.js'
import { native } from './native.js'
import type { TensorOperators } from './ops.generated.js'
import { adopt, forget } from './scope.js'

/** Nested arrays of numbers, as deep as the tensor has dimensions. */
export type Nested = number | readonly Nested[]

/** The operators, which torch.ts installs on the prototype. */
export interface Tensor extends TensorOperators {
  /** This tensor on a device or in a dtype; a handle of its own even when nothing had to be done. Differentiable. */
  to(target: Device | DType): Tensor
}

/**
 * An n-dimensional array in libtorch's memory. Free it with `scope`, `dispose()` or `using`; garbage collection is only a
 * safety net. All operators with a method form are methods: `x.add(y)`, `x.sum([1], true)`, `x.add_(y)`.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface above says what is installed
export class Tensor implements Disposable {
  /** @internal The engine's handle; 0 when freed. */
  handle: number
  /** @internal Set by `keep`. */
  kept = false
  #shape: readonly number[] | null = null
  #dtype: DType | null = null
  #device: Device | null = null
  #grad: Tensor | null = null

  /** @internal Tensors are made by `tensor(…)` and `torch.…`. */
  constructor(handle: number) {
    this.handle = handle
    adopt(this)
  }

  /** Sizes of the dimensions; `[]` for a single number. */
  get shape(): readonly number[] {
    if (this.#shape === null) this.#describe()
    return this.#shape!
  }

  get dtype(): DType {
    if (this.#dtype === null) this.#describe()
    return this.#dtype!
  }

  get device(): Device {
    if (this.#device === null) this.#describe()
    return this.#device!
  }

  /** Number of dimensions. */
  get ndim(): number {
    return this.shape.length
  }

  /** Number of elements. */
  get numel(): number {
    return this.shape.reduce((product, size) => product * size, 1)
  }

  /** Whether gradients flow to or through this tensor. */
  get requiresGrad(): boolean {
    return native.requiresGrad(this.live('requiresGrad'))
  }

  set requiresGrad(value: boolean) {
    this.requires_grad_(value)
  }

  /** The gradient that `backward` left here, or null. Assigning null frees it; another tensor must agree in shape, dtype and device. */
  get grad(): Tensor | null {
    const known = this.#grad
    const handle = native.gradient(this.live('grad'), known === null ? 0 : known.handle)
    if (handle === 0) return (this.#grad = null)
    if (known !== null && known.handle === handle) return known
    return (this.#grad = new Tensor(handle))
  }

  set grad(value: Tensor | null) {
    if (value !== null && !(value instanceof Tensor)) throw new TypeError('grad: must be a Tensor or null')
    native.setGradient(this.live('grad'), value === null ? 0 : value.live('grad'))
    this.#grad = value
  }

  /** @internal The handle, or an error naming the use. */
  live(use: string): number {
    if (this.handle === 0) throw new Error(`tensor used after it was freed (${use})`)
    return this.handle
  }

  /** @internal Forgets cached metadata, after an operator that changes it in place. */
  forget(): void {
    this.#shape = this.#dtype = this.#device = null
  }

  #describe(): void {
    const { words } = native
    native.describe(this.live('shape, dtype or device'))
    this.#dtype = dtypeName(words[0]!)
    this.#device = deviceName(words[1]!, words[2]!)
    this.#shape = Object.freeze(Array.from(words.subarray(4, 4 + words[3]!)))
  }

  /** The value of a tensor of one element. Throws when it has more, or an integer that JavaScript cannot hold. */
  item(): number {
    return native.item(this.live('item'))
  }

  /** A copy of the elements in row-major order: bool as Uint8Array, bfloat16 and float16 as Float32Array, int64 as BigInt64Array. */
  data(): TypedArray {
    const handle = this.live('data')
    const { array, as } = arrayFor(this.dtype, this.numel)
    native.read(handle, dtypeCode[as], array)
    return array
  }

  /** A copy of the elements converted to float32. */
  floats(): Float32Array {
    const handle = this.live('floats')
    const array = new Float32Array(this.numel)
    native.read(handle, dtypeCode.float32, array)
    return array
  }

  /** A copy of the elements of an integer or bool tensor as int32. Throws when one does not fit. */
  ints(): Int32Array {
    const { dtype } = this
    if (dtype !== 'int64') {
      if (!/^(u?int|bool)/.test(dtype))
        throw new TypeError(`ints: the tensor is ${dtype}; expected an integer or bool tensor`)
      const array = new Int32Array(this.numel)
      native.read(this.live('ints'), dtypeCode.int32, array)
      return array
    }
    const wide = this.data() as BigInt64Array
    const array = new Int32Array(wide.length)
    for (let i = 0; i < wide.length; i++) {
      const value = Number(wide[i])
      if (value !== (value | 0)) throw new RangeError(`ints: element ${i} is ${wide[i]}, beyond 32 bits; use data()`)
      array[i] = value
    }
    return array
  }

  /** The elements as nested arrays of numbers; a plain number for a tensor without dimensions. */
  tolist(): Nested {
    const flat = this.data()
    const { shape } = this
    let at = 0
    const build = (dimension: number): Nested => {
      if (dimension === shape.length) return Number(flat[at++])
      return Array.from({ length: shape[dimension]! }, () => build(dimension + 1))
    }
    return build(0)
  }

  /**
   * Adds d(this)/d(leaf) to `leaf.grad` of every leaf that requires gradients.
   * @param gradient d(loss)/d(this), of this shape; may be left out for a single element
   */
  backward(gradient?: Tensor | null, options: { retainGraph?: boolean; createGraph?: boolean } = {}): void {
    const { words } = native
    words[0] = (options.retainGraph ?? options.createGraph) ? 1 : 0
    words[1] = options.createGraph ? 1 : 0
    words[2] = 1
    words[3] = this.live('backward')
    words[4] = 1
    words[5] = gradient ? gradient.live("backward, argument 'gradient'") : 0
    words[6] = 0
    native.differentiate()
  }

  /** Frees this handle's hold on the memory. Harmless the second time. Autograd keeps what it saved. */
  dispose(): void {
    if (this.handle === 0) return
    native.free(this.handle)
    this.handle = 0
    forget(this)
  }

  get disposed(): boolean {
    return this.handle === 0
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  toString(): string {
    if (this.disposed) return 'Tensor(freed)'
    const place = this.device === 'cpu' ? '' : `, ${this.device}`
    const { numel } = this
    const values = numel <= 16 && !this.dtype.startsWith('complex') ? ` ${JSON.stringify(this.tolist())}` : ''
    return `Tensor([${this.shape.join(', ')}], ${this.dtype}${place})${values}`
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

/** What `tensor` takes beside the data. */
export interface TensorOptions {
  /** Sizes; their product must be the number of elements. Default: the nesting, or one dimension for a typed array. */
  readonly shape?: readonly number[]
  readonly dtype?: DType
  /** Default: the CPU. */
  readonly device?: Device
  readonly requiresGrad?: boolean
}

const OPTIONS: ReadonlySet<string> = new Set<keyof TensorOptions>(['shape', 'dtype', 'device', 'requiresGrad'])

/**
 * A tensor with a copy of the data. Numbers become float32, booleans bool, typed arrays their own type; `dtype` converts
 * (token ids: an Int32Array with dtype 'int64').
 * @throws TypeError for ragged nesting, a wrong shape, an unknown option, dtype or device, fractions where integers are asked
 */
export function tensor(
  data: Nested | boolean | readonly boolean[] | ArrayBufferView,
  options: TensorOptions = {},
): Tensor {
  for (const name of Object.keys(options)) {
    if (!OPTIONS.has(name))
      throw new TypeError(`tensor: no option ${JSON.stringify(name)}; there is ${[...OPTIONS].join(', ')}`)
  }
  const { array, sizes } = flatten(data, options.dtype)
  const from = typeof data === 'boolean' || isBooleans(data) ? 'bool' : dtypeOf(array)
  const to = options.dtype ?? from
  if (!Object.hasOwn(dtypeCode, to))
    throw new TypeError(`tensor: no dtype ${JSON.stringify(to)}; there is ${Object.keys(dtypeCode).join(', ')}`)
  if (array instanceof Float64Array && /^u?int/.test(to)) checkIntegers(array, to)
  const device = checkDevice(options.device ?? 'cpu', 'tensor')
  const shape = options.shape ?? sizes
  const { words } = native
  if (!Array.isArray(shape) || shape.length > 64)
    throw new TypeError('tensor: shape must be an array of at most 64 sizes')
  words[0] = shape.length
  for (let i = 0; i < shape.length; i++) {
    const size = shape[i]
    if (!Number.isSafeInteger(size) || size < 0)
      throw new TypeError(`tensor: shape[${i}] must be a size, got ${String(size)}`)
    words[1 + i] = size
  }
  const made = new Tensor(native.make(array, dtypeCode[from], dtypeCode[to], device))
  if (options.requiresGrad) made.requires_grad_(true)
  return made
}

/** Dimensions that a tensor has at most; an array that holds itself is deeper. */
const DEEPEST = 64

function isBooleans(data: unknown): boolean {
  let first = data
  for (let depth = 0; Array.isArray(first) && depth <= DEEPEST; depth++) first = first[0]
  return typeof first === 'boolean'
}

/** Nested numbers in one typed array: float32, or float64 where another type is asked, so that no digit is lost on the way. */
function flatten(data: unknown, dtype: DType | undefined): { array: ArrayBufferView; sizes: number[] } {
  if (ArrayBuffer.isView(data)) return { array: data, sizes: [(data as unknown as ArrayLike<number>).length] }
  const sizes: number[] = []
  for (let level = data; Array.isArray(level); level = level[0]) {
    if (sizes.push(level.length) > DEEPEST) throw new TypeError(`tensor: data nested deeper than ${DEEPEST} arrays`)
  }
  const length = sizes.reduce((product, size) => product * size, 1)
  const booleans = isBooleans(data)
  const Type = booleans ? Uint8Array : dtype === undefined || dtype === 'float32' ? Float32Array : Float64Array
  const array = new Type(length)
  let at = 0
  const fill = (value: unknown, depth: number): void => {
    if (depth < sizes.length) {
      if (!Array.isArray(value) || value.length !== sizes[depth]) {
        const got = Array.isArray(value) ? `${value.length} elements` : typeof value
        throw new TypeError(`tensor: ragged data: expected ${sizes[depth]} elements in dimension ${depth}, got ${got}`)
      }
      for (const part of value) fill(part, depth + 1)
    } else if (typeof value === (booleans ? 'boolean' : 'number')) {
      array[at++] = Number(value)
    } else {
      const got =
        typeof value === 'bigint' ? 'a bigint (use BigInt64Array)' : Array.isArray(value) ? 'an array' : typeof value
      throw new TypeError(`tensor: element ${at} must be a ${booleans ? 'boolean' : 'number'}, got ${got}`)
    }
  }
  fill(data, 0)
  return { array, sizes }
}

function checkIntegers(array: Float64Array, dtype: DType): void {
  const bits = Number(/\d+/.exec(dtype))
  // int64 goes as far as JavaScript's own integers do.
  const [least, most] = dtype.startsWith('u') ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]
  const at = array.findIndex(value => !Number.isSafeInteger(value) || value < least || value > most)
  if (at < 0) return
  const range = Number.isSafeInteger(array[at]) ? ` from ${least} to ${most}` : ''
  throw new TypeError(`tensor: element ${at} is ${array[at]}; ${dtype} holds integers${range}`)
}
