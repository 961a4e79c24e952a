/** What a store holds, as entries that formats write. */

import type { Edit, Prompt } from '@emend/edits'
import type { Kysely } from 'kysely'
import type { Entry, Kind } from '../formats/entry.js'
import { promptOf } from './by-id.js'
import { selectEdits } from './edits.js'
import { pages } from './pages.js'
import type { Tables } from './schema.js'

/** An entry as stored, and where it came from. */
export interface StoredEntry {
  readonly id: string
  readonly entry: Entry
  /** `imports.n` */
  readonly import: number | null
  /** The record itself, where its format would not write it again from the entry. */
  readonly raw?: Readonly<Record<string, unknown>>
}

/** Entries of one kind in the order they came; edits that were withdrawn or superseded are left out. */
export async function* storedEntries(db: Kysely<Tables>, kind: Kind): AsyncGenerator<StoredEntry> {
  if (kind === 'edit') for await (const row of pages(after => editRows(db, after))) yield stored(row, editEntry(row))
  if (kind === 'preference')
    for await (const row of pages(after => preferenceRows(db, after))) {
      const { first, second, preference } = row
      yield stored(row, { kind, ...prompted(row), first, second, preference, ...byOf(row) })
    }
  if (kind === 'response')
    for await (const row of pages(after => responseRows(db, after))) {
      const { response, generator } = row
      yield stored(row, { kind, ...prompted(row), response, ...(generator !== null && { generator }) })
    }
}

/** How many there are of each kind. */
export async function countEntries(db: Kysely<Tables>): Promise<Record<Kind, number>> {
  const count = async (table: 'edits' | 'preferences' | 'responses') =>
    (
      await db
        .selectFrom(table)
        .select(({ fn }) => fn.countAll<number>().as('n'))
        .$if(table === 'edits', query => query.where('current' as 'n', '=', 1))
        .executeTakeFirstOrThrow()
    ).n
  return { edit: await count('edits'), preference: await count('preferences'), response: await count('responses') }
}

const editRows = (db: Kysely<Tables>, after: number) =>
  selectEdits(db).where('edits.current', '=', 1).where('edits.n', '>', after).orderBy('edits.n')

const preferenceRows = (db: Kysely<Tables>, after: number) =>
  db
    .selectFrom('preferences')
    .innerJoin('prompts', promptOf('preferences'))
    .leftJoin('annotators', 'annotators.id', 'preferences.annotator')
    .selectAll('preferences')
    .select(['prompts.prompt as promptJson', 'annotators.kind', 'annotators.name', 'annotators.version'])
    .where('preferences.n', '>', after)
    .orderBy('preferences.n')

const responseRows = (db: Kysely<Tables>, after: number) =>
  db
    .selectFrom('responses')
    .innerJoin('prompts', promptOf('responses'))
    .selectAll('responses')
    .select('prompts.prompt as promptJson')
    .where('responses.n', '>', after)
    .orderBy('responses.n')

interface Row {
  readonly id: string
  readonly promptJson: string
  readonly import: number | null
  readonly extra: string | null
}

interface Extra {
  readonly rest?: Readonly<Record<string, unknown>>
  readonly form?: Readonly<Record<string, unknown>>
  readonly raw?: Readonly<Record<string, unknown>>
}

const extraOf = (row: Row): Extra => (row.extra ? (JSON.parse(row.extra) as Extra) : {})

function stored(row: Row, entry: Entry): StoredEntry {
  const { raw } = extraOf(row)
  return { id: row.id, entry, import: row.import, ...(raw && { raw }) }
}

function prompted(row: Row) {
  const { rest, form } = extraOf(row)
  return { prompt: JSON.parse(row.promptJson) as Prompt, ...(rest && { rest }), ...(form && { form }) }
}

function byOf({ kind, name, version }: { [K in 'kind' | 'name' | 'version']: string | null }): { by?: Edit['by'] } {
  if (kind === null || name === null) return {}
  return { by: { kind: kind as Edit['by']['kind'], name, ...(version !== null && { version }) } }
}

function editEntry(row: Awaited<ReturnType<ReturnType<typeof editRows>['executeTakeFirstOrThrow']>>): Entry {
  const { draft, final, ops, at, seconds, reasons, sampled, preferred } = row
  return {
    kind: 'edit',
    ...prompted(row),
    draft,
    final,
    ...byOf(row),
    ...(ops && { ops: JSON.parse(ops) as Edit['ops'] }),
    ...(at !== null && { at }),
    ...(seconds !== null && { seconds }),
    ...(reasons && { reasons: JSON.parse(reasons) as string[] }),
    ...(sampled && { sampled: JSON.parse(sampled) as Edit['sampled'] }),
    ...(preferred !== null && { preferred }),
  }
}
