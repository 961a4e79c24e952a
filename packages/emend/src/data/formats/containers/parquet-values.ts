/** Values of Parquet columns ↔ values as JSON has them, exactly: what JSON has no value for is text. */

import { isUtf8 } from 'node:buffer'
import type { ParquetParsers, SchemaElement } from 'hyparquet'

/** A column or a part of one. */
export interface Node {
  readonly element: SchemaElement
  readonly children: readonly Node[]
}

/** The columns of a schema. */
export function columnsOf(schema: readonly SchemaElement[]): Node[] {
  let at = 0
  const read = (): Node => {
    const element = schema[at++]!
    return { element, children: Array.from({ length: element.num_children ?? 0 }, read) }
  }
  return schema.length === 0 ? [] : [...read().children]
}

/** A schema by which hyparquet hands on decimals and unnamed bytes as they stand in the file, not as the nearest number or text. */
export const readableSchema = (schema: readonly SchemaElement[]): SchemaElement[] =>
  schema.map(element => {
    if (!isDecimal(element) && !/BSON|INTERVAL/.test(element.converted_type ?? '')) return element
    const { converted_type: _, logical_type: __, ...bare } = element
    return bare
  })

/** A schema that hyparquet-writer writes as it should: the integer types by their older names, which say the same. */
export const writableSchema = (schema: readonly SchemaElement[]): SchemaElement[] =>
  schema.map(({ logical_type, ...element }) => {
    if (logical_type?.type === 'INTEGER') {
      const { isSigned, bitWidth } = logical_type
      const converted = `${isSigned ? 'INT' : 'UINT'}_${bitWidth}` as SchemaElement['converted_type']
      return { ...element, converted_type: element.converted_type ?? converted! }
    }
    if (logical_type?.type !== 'DECIMAL') return { ...element, ...(logical_type && { logical_type }) }
    const { scale, precision } = logical_type
    return { scale, precision, ...element, converted_type: 'DECIMAL', logical_type }
  })

/** Times as ISO 8601 with as many digits as they have; what a Date cannot hold as the number of units since 1970. */
export const parsers: Partial<ParquetParsers> = {
  timestampFromMilliseconds: millis => isoOf(BigInt(millis), 3) as unknown as Date,
  timestampFromMicroseconds: micros => isoOf(micros, 6) as unknown as Date,
  timestampFromNanoseconds: nanos => isoOf(nanos, 9) as unknown as Date,
}

/** @param digits of a second that `units` counts */
function isoOf(units: bigint, digits: 3 | 6 | 9): string {
  const perMilli = 10n ** BigInt(digits - 3)
  const within = ((units % perMilli) + perMilli) % perMilli
  const date = new Date(Number((units - within) / perMilli))
  if (Number.isNaN(date.getTime())) return String(units)
  const more =
    within === 0n
      ? ''
      : String(within)
          .padStart(digits - 3, '0')
          .replace(/000$/, '')
  return date.toISOString().replace('Z', `${more}Z`)
}

/** The units since 1970 of what {@link isoOf} wrote, or of any time that Date reads. */
function unitsOf(text: string, digits: 3 | 6 | 9): bigint {
  if (/^-?\d{5,}$/.test(text)) return BigInt(text)
  const [, milli = text, more = ''] = /^(.*\.\d{3})(\d{1,6})/.exec(text) ?? []
  const date = new Date(more === '' ? text : `${milli}${text.slice(milli.length + more.length)}`)
  if (Number.isNaN(date.getTime())) throw new Error(`expected a time, got ${JSON.stringify(text)}`)
  return BigInt(date.getTime()) * 10n ** BigInt(digits - 3) + BigInt(more.padEnd(6, '0').slice(0, digits - 3) || 0)
}

/** A value as JSON has it: whole numbers and decimals as numbers where that is exact, times as ISO 8601. */
export function plain(value: unknown, node: Node): unknown {
  if (value === null || value === undefined) return value
  const { element, children } = node
  if (isMap(node) && typeof value === 'object' && !Array.isArray(value)) {
    const [, item] = children[0]!.children
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner, item!)]))
  }
  if (Array.isArray(value)) return value.map(inner => plain(inner, itemOf(node)))
  if (isDecimal(element)) return decimalText(value as bigint | number | Uint8Array, element)
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return textOfBytes(value)
  if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array, inner => plain(inner, itemOf(node)))
  if (typeof value !== 'object' || children.length === 0) return value
  const record = value as Record<string, unknown>
  return Object.fromEntries(children.map(child => [child.element.name, plain(record[child.element.name], child)]))
}

/** What the writer wants of a value that {@link plain} gave: the way back. */
export function typed(value: unknown, node: Node): unknown {
  if (value === undefined || value === null) return null
  const { element, children } = node
  if (Array.isArray(value)) return value.map(inner => typed(inner, itemOf(node)))
  if (isMap(node) && typeof value === 'object') {
    const [keys, item] = children[0]!.children
    return Object.entries(value).map(([key, inner]) => ({ key: typedKey(key, keys!), value: typed(inner, item!) }))
  }
  const { type, converted_type, logical_type } = element
  if (typeof value === 'object') {
    if (children.length === 0) return value
    const record = value as Record<string, unknown>
    return Object.fromEntries(children.map(child => [child.element.name, typed(record[child.element.name], child)]))
  }
  if (isDecimal(element)) {
    const whole = unscaled(String(value), element)
    if (whole !== undefined) return whole
    throw new Error(`expected a decimal of at most ${scaleOf(element)} places, got ${JSON.stringify(value)}`)
  }
  if (typeof value === 'number' && type === 'INT64') return BigInt(value)
  if (typeof value !== 'string') return value
  const digits = digitsOf(element)
  if (digits) return unitsOf(value, digits)
  if (converted_type === 'DATE' || logical_type?.type === 'DATE') return new Date(value)
  if (type === 'INT64') return BigInt(value)
  if (NOT_FINITE.has(value) && (/FLOAT|DOUBLE/.test(type ?? '') || logical_type?.type === 'FLOAT16'))
    return Number(value)
  const text = /UTF8|JSON/.test(converted_type ?? '') || /STRING|JSON|UUID/.test(logical_type?.type ?? '')
  return /BYTE_ARRAY/.test(type ?? '') && !text ? bytesOfText(value) : value
}

/** Keys of a map are texts in JSON. */
function typedKey(key: string, node: Node): unknown {
  const { type } = node.element
  return typed(type === 'INT32' || type === 'FLOAT' || type === 'DOUBLE' ? Number(key) : key, node)
}

const NOT_FINITE = new Set(['NaN', 'Infinity', '-Infinity'])

const isMap = ({ element, children }: Node) =>
  (element.converted_type === 'MAP' || element.logical_type?.type === 'MAP') && children[0]?.children.length === 2

/** What a list holds: list → repeated group → element; older writers leave out the group or the list. */
function itemOf({ element, children }: Node): Node {
  const [repeated] = children
  if (element.repetition_type === 'REPEATED' || !repeated)
    return { element: { ...element, repetition_type: 'REQUIRED' }, children }
  return repeated.children.length === 1
    ? repeated.children[0]!
    : { element: { ...repeated.element, repetition_type: 'REQUIRED' }, children: repeated.children }
}

const isDecimal = ({ converted_type, logical_type }: SchemaElement) =>
  converted_type === 'DECIMAL' || logical_type?.type === 'DECIMAL'

const scaleOf = ({ scale, logical_type }: SchemaElement) =>
  scale ?? (logical_type?.type === 'DECIMAL' ? logical_type.scale : 0)

/** A decimal as a number if it is that number exactly, else as text. */
function decimalText(value: bigint | number | Uint8Array, element: SchemaElement): number | string {
  const hex = value instanceof Uint8Array ? Buffer.from(value).toString('hex') : ''
  const whole = value instanceof Uint8Array ? BigInt.asIntN(hex.length * 4, BigInt(`0x${hex || '0'}`)) : BigInt(value)
  const scale = scaleOf(element)
  const digits = String(whole < 0n ? -whole : whole).padStart(scale + 1, '0')
  const point = digits.length - scale
  const text = `${whole < 0n ? '-' : ''}${digits.slice(0, point)}${scale > 0 ? `.${digits.slice(point)}` : ''}`
  return unscaled(String(Number(text)), element) === whole ? Number(text) : text
}

/** The whole number that stands for a decimal; undefined where it has more digits than the column. */
function unscaled(text: string, element: SchemaElement): bigint | undefined {
  const scale = scaleOf(element)
  const [, sign, whole, part = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? []
  if (whole === undefined || part.length > scale) return undefined
  return BigInt(`${sign}${whole}${part.padEnd(scale, '0')}`)
}

const PACKED = 'base64:'

/** Bytes that the schema calls neither text nor anything else: text if they are, else `base64:…`. */
function textOfBytes(bytes: Uint8Array): string {
  const text = isUtf8(bytes) ? Buffer.from(bytes).toString() : undefined
  return text === undefined || text.startsWith(PACKED) ? PACKED + Buffer.from(bytes).toString('base64') : text
}

const bytesOfText = (text: string): Buffer =>
  text.startsWith(PACKED) ? Buffer.from(text.slice(PACKED.length), 'base64') : Buffer.from(text)

/** Digits of a second that a column of times counts in. */
function digitsOf({ converted_type, logical_type }: SchemaElement): 3 | 6 | 9 | undefined {
  if (logical_type?.type === 'TIMESTAMP') return ({ MILLIS: 3, MICROS: 6, NANOS: 9 } as const)[logical_type.unit]
  return converted_type === 'TIMESTAMP_MILLIS' ? 3 : converted_type === 'TIMESTAMP_MICROS' ? 6 : undefined
}
