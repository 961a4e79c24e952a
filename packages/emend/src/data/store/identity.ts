/** Identity by content: SHA-256 of canonical JSON, so that the same record is the same row however often it comes. */

import { createHash } from 'node:crypto'

/** JSON with sorted keys and without what is undefined: equal values have equal texts (RFC 8785 but for number formats, which are V8's as there). */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inner => canonicalJson(inner ?? null)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const record = value as Record<string, unknown>
  const fields = Object.keys(record)
    .filter(key => record[key] !== undefined)
    .sort()
    .map(key => `${JSON.stringify(key)}:${canonicalJson(record[key])}`)
  return `{${fields.join(',')}}`
}

/** The first 128 bits of the SHA-256 of the values' canonical JSON, as 32 hexadecimal digits: half the index, and collisions as unthinkable. */
export function storeId(...values: readonly unknown[]): string {
  return createHash('sha256').update(canonicalJson(values)).digest('hex').slice(0, 32)
}
