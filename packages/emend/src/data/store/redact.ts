/** What is taken out of a record before anything is stored: people's data has no business in a training set. */

/** Changes a record, or gives back undefined to keep it out of the store. Runs on the fields as they were read. */
export type Redact = (record: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>> | undefined

/** The built-in patterns and what stands in their place. */
const PATTERNS: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*\.\p{L}{2,}/gu, '[e-mail]'],
  // International (+49 …) or with an area code, nine digits at least: years, prices and order numbers stay.
  [/(?<![\p{L}\p{N}+])(?:\+\d{1,3}[ .-]?)(?:\(\d{1,4}\)[ .-]?)?\d(?:[ ./-]?\d){6,12}(?![\p{L}\p{N}])/gu, '[phone]'],
  // National ones that begin with 0, parted after the area code: dates have another mark or fewer digits.
  [/(?<![\p{L}\p{N}+./-])0\d{1,5}[ /-]\d(?: ?\d){5,9}(?![\p{L}\p{N}])/gu, '[phone]'],
  [/(?<![\p{L}\p{N}])(?:\(\d{2,5}\)[ .-]?|\d{3}[ .-])\d{3}[ .-]?\d{4}(?![\p{L}\p{N}])/gu, '[phone]'],
]

/** Replaces e-mail addresses and telephone numbers in every text of a record. What looks like neither is left alone. */
export const redactContacts: Redact = record => deep(record) as Record<string, unknown>

function deep(value: unknown): unknown {
  if (typeof value === 'string')
    return PATTERNS.reduce((text, [pattern, instead]) => text.replace(pattern, instead), value)
  if (Array.isArray(value)) return value.map(deep)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, deep(inner)]))
}
