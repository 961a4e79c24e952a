/** What every format is read to and written from: an edit, a preference, or a response. */

import type { Edit, Prompt } from '@emend/edits'

/** What all entries have. */
interface Common {
  readonly prompt: Prompt
  /** Fields of the record that the format does not know; written again in the same format. */
  readonly rest?: Readonly<Record<string, unknown>>
  /** What the format needs to write the same record again, besides. */
  readonly form?: Readonly<Record<string, unknown>>
}

/** A draft and what became of it. */
export interface EditEntry extends Common {
  readonly kind: 'edit'
  readonly draft: string
  readonly final: string
  /** A response that is known to be better. */
  readonly preferred?: string
  readonly ops?: Edit['ops']
  readonly by?: Edit['by']
  /** ISO 8601 */
  readonly at?: string
  readonly seconds?: number
  readonly reasons?: readonly string[]
  readonly sampled?: Edit['sampled']
}

/** Two responses compared. */
export interface PreferenceEntry extends Common {
  readonly kind: 'preference'
  readonly first: string
  readonly second: string
  /** 1: the first is preferred, 2: the second, between: in part; 0 or null: undecided. */
  readonly preference: number | null
  readonly by?: Edit['by']
}

/** A response, or a prompt that still lacks one (null). */
export interface ResponseEntry extends Common {
  readonly kind: 'response'
  readonly response: string | null
  /** Who or what wrote it. */
  readonly generator?: string
}

export type Entry = EditEntry | PreferenceEntry | ResponseEntry
export type Kind = Entry['kind']

/** Everything an entry may hold that a format may or may not carry; `chat`: a prompt in turns, `strength`: a preference in part. */
export const fieldsOf = {
  edit: ['prompt', 'chat', 'draft', 'final', 'preferred', 'reasons', 'by', 'at', 'seconds', 'ops', 'sampled', 'rest'],
  preference: ['prompt', 'chat', 'responses', 'strength', 'by', 'rest'],
  response: ['prompt', 'chat', 'response', 'generator', 'rest'],
} as const satisfies Record<Kind, readonly string[]>

/** A name of {@link fieldsOf}. */
export type EntryField = (typeof fieldsOf)[Kind][number]

/** The fields that this entry does hold, other fields of its record by their own names. */
export function held(entry: Entry): { field: EntryField; name: string }[] {
  const has = (field: EntryField): boolean => {
    if (field === 'chat') return typeof entry.prompt !== 'string'
    if (field === 'prompt') return entry.prompt.length > 0
    if (field === 'responses') return true
    if (field === 'strength') return entry.kind === 'preference' && ![1, 2].includes(entry.preference ?? 0)
    return (entry as unknown as Record<string, unknown>)[field] != null
  }
  const fields: readonly EntryField[] = fieldsOf[entry.kind]
  const own = fields.filter(field => field !== 'rest' && has(field)).map(field => ({ field, name: field as string }))
  return [...own, ...Object.keys(entry.rest ?? {}).map(name => ({ field: 'rest' as const, name }))]
}
