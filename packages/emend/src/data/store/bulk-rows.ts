/** Entries → rows of the store's tables, ids made from content: plain values, which another thread may write. */

import type { Edit, Prompt } from '@emend/edits'
import { editId } from '../formats/emend.js'
import type { Entry } from '../formats/entry.js'
import { annotatorId } from './annotators.js'
import { jsonText, storeId } from './identity.js'
import { promptId } from './prompts.js'

/** An entry and the place of its record in the file. */
export interface Placed {
  readonly entry: Entry
  readonly line: number
  /** The record itself, where its format would not write it again from the entry. */
  readonly raw?: unknown
}

/** Which columns a row has: the plain ones have nothing but texts. */
export type TableRow = 'edit' | 'plainEdit' | 'preference' | 'plainPreference' | 'response'

export type Value = string | number | null

/** Rows of one table, one after the other: id, line, prompt, and what else the table has. */
export interface Stretch {
  readonly table: TableRow
  /** How many values a row has. */
  readonly width: number
  /** [rows × width] */
  readonly values: Value[]
}

/** What is written at once, in this order. */
export interface BulkBatch {
  /** id, JSON, id, JSON, … */
  readonly prompts: string[]
  /** id, kind, name, version */
  readonly annotators: Value[][]
  readonly stretches: Stretch[]
}

/** Prompts that were seen last: they are not sent again. */
const REMEMBERED = 10_000

/** Makes the rows of one import. */
export class BulkRows {
  readonly #prompts = new Set<string>()
  readonly #annotators = new Set<string>()
  #batch = empty()
  #length = 0

  /** How many entries wait to be taken. */
  get length(): number {
    return this.#length
  }

  /** What has been added since it was last taken. */
  take(): BulkBatch {
    const batch = this.#batch
    this.#batch = empty()
    this.#length = 0
    return batch
  }

  add({ entry, line, raw }: Placed): void {
    const prompt = this.#prompt(entry.prompt)
    const [table, values] = this.#row(entry, extraOf(entry, raw))
    let stretch = this.#batch.stretches.at(-1)
    if (stretch?.table !== table) {
      stretch = { table, width: 3 + values.length, values: [] }
      this.#batch.stretches.push(stretch)
    }
    stretch.values.push(entryId(entry, raw), line, prompt, ...values)
    this.#length++
  }

  #row(entry: Entry, extra: string | null): [TableRow, Value[]] {
    if (entry.kind === 'response') return ['response', [entry.response, entry.generator ?? null, extra]]
    if (entry.kind === 'preference') {
      const { first, second, preference, by } = entry
      if (!by && extra === null) return ['plainPreference', [first, second, preference]]
      return ['preference', [first, second, preference, this.#annotator(by), extra]]
    }
    const { draft, final, ops, by, at, seconds, reasons, sampled, preferred } = entry
    const more = ops || by || at || reasons || sampled || preferred !== undefined || seconds !== undefined
    if (!more && extra === null) return ['plainEdit', [draft, final]]
    const how = [json(ops), this.#annotator(by), at ?? null, seconds ?? null, json(reasons), json(sampled)]
    return ['edit', [draft, final, ...how, preferred ?? null, extra]]
  }

  #prompt(prompt: Prompt): string {
    const id = promptId(prompt)
    if (this.#prompts.has(id)) return id
    this.#batch.prompts.push(id, typeof prompt === 'string' ? jsonText(prompt) : JSON.stringify(prompt))
    if (this.#prompts.size === REMEMBERED) this.#prompts.clear()
    this.#prompts.add(id)
    return id
  }

  #annotator(by: Edit['by'] | undefined): string | null {
    if (!by) return null
    const id = annotatorId(by)
    if (!this.#annotators.has(id)) this.#batch.annotators.push([id, by.kind, by.name, by.version ?? null])
    this.#annotators.add(id)
    return id
  }
}

const empty = (): BulkBatch => ({ prompts: [], annotators: [], stretches: [] })

/** Identity by content; fields that the format does not know are content too. */
function entryId(entry: Entry, raw: unknown): string {
  const { kind, prompt, rest } = entry
  const id =
    kind === 'edit'
      ? editId(entry)
      : kind === 'preference'
        ? storeId(kind, prompt, entry.first, entry.second, entry.preference, entry.by)
        : storeId(kind, prompt, entry.response, entry.generator)
  return rest || raw !== undefined ? storeId(id, rest, raw) : id
}

const json = (value: unknown) => (value === undefined ? null : JSON.stringify(value))

function extraOf({ rest, form }: Entry, raw: unknown): string | null {
  return rest || form || raw !== undefined ? JSON.stringify({ rest, form, raw }) : null
}
