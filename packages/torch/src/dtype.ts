/** Element types: their names, libtorch's codes, and the typed arrays that hold them. */
export type { Device } from './device.js'

/** What a tensor's elements may be. The complex ones and int8/int16 appear only where an operator makes them. */
export type DType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool'
  | 'complex64'
  | 'complex128'

/** libtorch's ScalarType codes (c10/core/ScalarType.h). */
export const dtypeCode: Readonly<Record<DType, number>> = {
  uint8: 0,
  int8: 1,
  int16: 2,
  int32: 3,
  int64: 4,
  float16: 5,
  float32: 6,
  float64: 7,
  complex64: 9,
  complex128: 10,
  bool: 11,
  bfloat16: 15,
}

const names = new Map(Object.entries(dtypeCode).map(([name, code]) => [code, name as DType]))

/** The name of libtorch's code; throws for the kinds that only private operators make. */
export function dtypeName(code: number): DType {
  const name = names.get(code)
  if (name === undefined)
    throw new TypeError(`a tensor of libtorch's ScalarType ${code}, which @emend/torch does not speak`)
  return name
}

/** Whether the value names a dtype. */
export function isDType(value: unknown): value is DType {
  return typeof value === 'string' && Object.hasOwn(dtypeCode, value)
}

/** What `data()` gives. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Int8Array
  | Int16Array

/** A new array for `data()`: half precisions as float32, since JavaScript has no arrays of them. */
export function arrayFor(dtype: DType, length: number): { array: TypedArray; as: DType } {
  switch (dtype) {
    case 'float32':
    case 'float16':
    case 'bfloat16':
      return { array: new Float32Array(length), as: 'float32' }
    case 'float64':
      return { array: new Float64Array(length), as: 'float64' }
    case 'int64':
      return { array: new BigInt64Array(length), as: 'int64' }
    case 'int32':
      return { array: new Int32Array(length), as: 'int32' }
    case 'int16':
      return { array: new Int16Array(length), as: 'int16' }
    case 'int8':
      return { array: new Int8Array(length), as: 'int8' }
    case 'uint8':
      return { array: new Uint8Array(length), as: 'uint8' }
    case 'bool':
      return { array: new Uint8Array(length), as: 'bool' }
    default:
      throw new TypeError(`data(): complex numbers have no typed array; use torch.view_as_real first`)
  }
}

/** The dtype of a typed array's elements; throws for arrays that no tensor can be made of. */
export function dtypeOf(array: ArrayBufferView): DType {
  if (array instanceof Float32Array) return 'float32'
  if (array instanceof Float64Array) return 'float64'
  if (array instanceof Int32Array) return 'int32'
  if (array instanceof BigInt64Array) return 'int64'
  if (array instanceof Uint8Array || array instanceof Uint8ClampedArray) return 'uint8'
  if (array instanceof Int16Array) return 'int16'
  if (array instanceof Int8Array) return 'int8'
  throw new TypeError(
    `tensor: no dtype for ${array.constructor.name}; use Float32Array, Float64Array, Int32Array, BigInt64Array or Uint8Array`,
  )
}
