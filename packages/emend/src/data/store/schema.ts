/** The tables of a store, as Kysely types them. Times are ISO 8601 in UTC; ids are made from content, see `identity.ts`. */

import type { Generated } from 'kysely'

/** Every table but those of keys, see `by-id.ts`. `n` counts rows in the order they came, which is the order they are given back in. */
export interface Tables {
  imports: ImportsTable
  prompts: PromptsTable
  responses: ResponsesTable
  preferences: PreferencesTable
  edits: EditsTable
  annotators: AnnotatorsTable
  items: ItemsTable
  drafts: DraftsTable
  acts: ActsTable
}

/** Files that were imported: the provenance of records. */
export interface ImportsTable {
  n: Generated<number>
  /** Of the file's bytes and how they were read: the same file is the same import under any name. */
  id: string
  file: string
  format: string
  /** JSON: how the file held its records (JSON Lines, columns of a CSV, schema of a Parquet file). */
  container: string
  at: string
}

export interface PromptsTable {
  n: Generated<number>
  id: string
  /** JSON: text, or turns of a chat. */
  prompt: string
}

/** Where an imported record stood; null for what was made here. */
interface Provenance {
  /** `imports.n` */
  import: number | null
  /** Line or number in the file, from 1. */
  line: number | null
  /** JSON: what the format holds beyond the common fields. */
  extra: string | null
}

export interface ResponsesTable extends Provenance {
  n: Generated<number>
  id: string
  /** `prompts.id` */
  prompt: string
  /** null: the record was a prompt alone. */
  response: string | null
  /** Who or what wrote it. */
  generator: string | null
}

export interface PreferencesTable extends Provenance {
  n: Generated<number>
  id: string
  prompt: string
  first: string
  second: string
  /** 1: the first is preferred, 2: the second, between: in part, 0 or null: undecided. */
  preference: number | null
  /** `annotators.id` */
  annotator: string | null
}

export interface EditsTable extends Provenance {
  n: Generated<number>
  id: string
  prompt: string
  draft: string
  final: string
  /** JSON; null: not recorded, the diff finds them. */
  ops: string | null
  annotator: string | null
  at: string | null
  seconds: number | null
  /** JSON: texts. */
  reasons: string | null
  /** JSON: the draft as it was generated. */
  sampled: string | null
  preferred: string | null
  /** `items.id` of the queue, for edits made here. */
  item: string | null
  /** `edits.id` of the version before. */
  supersedes: string | null
  /** 1; 0 once withdrawn or superseded. Nothing is ever deleted. */
  current: number
}

export interface AnnotatorsTable {
  n: Generated<number>
  id: string
  kind: 'person' | 'model' | 'script'
  name: string
  version: string | null
}

/** What is to be edited. */
export interface ItemsTable {
  n: Generated<number>
  id: string
  prompt: string
  response: string
  preferred: string | null
  /** JSON: texts; what is wrong with the response. */
  reasons: string | null
  source: string | null
  sampled: string | null
  status: ItemStatus
  /** The status that a lease that runs out or is given back leads to. */
  before: ItemStatus
  /** Who holds it, or decided last: the annotator's name. */
  annotator: string | null
  /** Of the several windows that one annotator may have open; stays when a lease ends, until another claim or a decision. */
  window: string | null
  /** Milliseconds since 1970. */
  lease_until: number | null
  /** The current edit. */
  edit: string | null
  /** Why it was discarded. */
  why: DiscardWhy | null
  reason: string | null
}

/** Where an item stands in the queue. */
export type ItemStatus = 'pending' | 'claimed' | 'done' | 'discarded' | 'skipped'

/** Why a response leaves the queue without an edit. */
export type DiscardWhy = 'no-edit-needed' | 'cannot-be-fixed'

/** Texts saved as they are typed, one for each annotator and item. */
export interface DraftsTable {
  item: string
  annotator: string
  text: string
  at: string
}

/** What annotators decided, in order; `undo` walks it back. */
export interface ActsTable {
  n: Generated<number>
  item: string
  annotator: string
  act: 'submit' | 'discard' | 'skip'
  /** The edit that the item has since. */
  edit: string | null
  seconds: number | null
  at: string
  /** What the item was before. */
  before: ItemStatus
  previous: string | null
  previous_why: DiscardWhy | null
  previous_reason: string | null
  /** 1 once taken back. */
  undone: number
}
