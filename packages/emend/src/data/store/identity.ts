/** Identity by content: SHA-256 of canonical JSON, so that the same record is the same row however often it comes. */

import * as crypto from 'node:crypto'

/** In one call where Node has it (20.12), at half the time. */
const sha256: (text: string) => string = crypto.hash
  ? text => crypto.hash('sha256', text)
  : text => crypto.createHash('sha256').update(text).digest('hex')

/** What JSON escapes in a text, and some control characters more. */
const ESCAPED = /["\\\p{Cc}\p{Cs}]/u

/** A text as `JSON.stringify` writes it, at half the time: most texts have nothing to escape. */
export const jsonText = (text: string): string => (ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`)

/** JSON with sorted keys and without what is undefined: equal values have equal texts (RFC 8785 but for number formats, which are V8's as there). */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'string') return jsonText(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  let text = ''
  if (Array.isArray(value)) {
    for (const inner of value) text += `${text && ','}${canonicalJson(inner ?? null)}`
    return `[${text}]`
  }
  const record = value as Record<string, unknown>
  for (const key of Object.keys(record).sort())
    if (record[key] !== undefined) text += `${text && ','}${JSON.stringify(key)}:${canonicalJson(record[key])}`
  return `{${text}}`
}

/** The first 128 bits of the SHA-256 of the values' canonical JSON, as 32 hexadecimal digits: half the index, and collisions as unthinkable. */
export function storeId(...values: readonly unknown[]): string {
  return sha256(canonicalJson(values)).slice(0, 32)
}
