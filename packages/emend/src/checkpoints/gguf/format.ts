/** The numbers of the GGUF format (ggml/docs/gguf.md): tensor types with their blocks, and types of metadata values. */

/** How a tensor's numbers are laid out: blocks of `elements` numbers in `bytes` bytes, along the fastest dimension. */
export interface TensorType {
  readonly name: string
  readonly elements: number
  readonly bytes: number
}

const type = (name: string, elements: number, bytes: number): TensorType => ({ name, elements, bytes })

/** The tensor types that we read, by their code in the file. */
export const TENSOR_TYPES: ReadonlyMap<number, TensorType> = new Map([
  [0, type('F32', 1, 4)],
  [1, type('F16', 1, 2)],
  [2, type('Q4_0', 32, 18)],
  [3, type('Q4_1', 32, 20)],
  [6, type('Q5_0', 32, 22)],
  [7, type('Q5_1', 32, 24)],
  [8, type('Q8_0', 32, 34)],
  [12, type('Q4_K', 256, 144)],
  [13, type('Q5_K', 256, 176)],
  [14, type('Q6_K', 256, 210)],
  [30, type('BF16', 1, 2)],
])

/** Names of the types that exist and that we do not read, so that a refusal can name them. */
export const OTHER_TYPES: ReadonlyMap<number, string> = new Map([
  [9, 'Q8_1'],
  [10, 'Q2_K'],
  [11, 'Q3_K'],
  [15, 'Q8_K'],
  [16, 'IQ2_XXS'],
  [17, 'IQ2_XS'],
  [18, 'IQ3_XXS'],
  [19, 'IQ1_S'],
  [20, 'IQ4_NL'],
  [21, 'IQ3_S'],
  [22, 'IQ2_S'],
  [23, 'IQ4_XS'],
  [24, 'I8'],
  [25, 'I16'],
  [26, 'I32'],
  [27, 'I64'],
  [28, 'F64'],
  [29, 'IQ1_M'],
  [34, 'TQ1_0'],
  [35, 'TQ2_0'],
  [39, 'MXFP4'],
  [40, 'NVFP4'],
])

/** Types of metadata values, by their code in the file; the index is the code. */
export const VALUE_TYPES = [
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'float32',
  'bool',
  'string',
  'array',
  'uint64',
  'int64',
  'float64',
] as const

export type ValueType = (typeof VALUE_TYPES)[number]

/** Bytes that a value takes at least: a string its length, an array its type and length. */
export const LEAST_BYTES: Readonly<Record<ValueType, number>> = {
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  bool: 1,
  string: 8,
  array: 12,
  uint64: 8,
  int64: 8,
  float64: 8,
}

/** A metadata value as JavaScript has it; 64-bit integers that are no safe integers are refused when read. */
export type Value = number | boolean | string | readonly Value[]

/** Where tensors start and how they are padded, unless `general.alignment` says otherwise. */
export const ALIGNMENT = 32

/** `GGUF`, little-endian. */
export const MAGIC = 0x46554747
