/** A store: one SQLite file that holds what people edit, what they made of it, and what was imported. */

import type { Edit, Prompt } from '@emend/edits'
import type { PreferencePair } from '../preferences.js'
import type { PromptRecord } from '../prompts.js'
import type { Annotator } from './annotators.js'
import { promptOf } from './by-id.js'
import * as claims from './claims.js'
import { type OpenDatabase, openDatabase } from './database.js'
import * as decisions from './decisions.js'
import { editOf, readEdit, selectEdits } from './edits.js'
import * as items from './items.js'
import { pages } from './pages.js'
import type { Redact } from './redact.js'
import type { DiscardWhy, ItemStatus } from './schema.js'

/** How a store is opened. */
export interface StoreOptions {
  /** The file must be there, and nothing is written to it. */
  readonly readonly?: boolean
  /** Applied to every record before it is stored. */
  readonly redact?: Redact
}

/**
 * ```ts
 * await using store = await Store.open('emend.db')
 * await store.addItems([{ prompt: 'Where is my parcel?', response: 'It were sent on Monday.' }])
 * const item = await store.claim('ada')
 * await store.submit(item.id, 'ada', { final: 'It was sent on Monday.' })
 * for await (const edit of store.edits()) console.log(edit.ops)
 * ```
 *
 * What is acknowledged is on disk. Several processes may use one store at once: writers wait for each other, readers never do.
 */
export class Store implements AsyncDisposable {
  readonly path: string
  /** For what lies beside the store, such as the import of files. */
  readonly database: OpenDatabase
  readonly #redact: Redact

  private constructor(path: string, database: OpenDatabase, redact: Redact) {
    this.path = path
    this.database = database
    this.#redact = redact
  }

  /** Opens a store; the file is made if it is not there. @throws DataError where it is no store, or a newer one */
  static async open(path: string, options: StoreOptions = {}): Promise<Store> {
    return new Store(path, await openDatabase(path, options), options.redact ?? (record => record))
  }

  async close(): Promise<void> {
    await this.database.db.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Puts responses into the annotation queue; what has the prompt and response of an item that is there is that item. */
  async addItems(list: Iterable<items.NewItem>): Promise<{ added: number; known: number }> {
    return await items.addItems(this.database.db, this.#redacted(list))
  }

  *#redacted(list: Iterable<items.NewItem>): Iterable<items.NewItem> {
    for (const item of list) {
      const record = this.#redact({ ...item }) as items.NewItem | undefined
      if (!record) continue
      // Token ids spell the text that was redacted.
      const { sampled, ...rest } = record
      yield record.response === item.response ? record : rest
    }
  }

  /**
   * Takes an item to edit: the named one, whatever its status, or the first that is pending. Nobody else gets it until it is
   * decided, released, or its lease runs out.
   * @returns null where none is pending, or someone else holds the named one
   */
  claim(annotator: Annotator, options?: claims.ClaimOptions): Promise<items.QueueItem | null> {
    return claims.claim(this.database.db, annotator, options)
  }

  /** Holds a claim for longer, by default 600 seconds from now. @throws ClaimError if it is no longer the annotator's */
  renew(item: string, annotator: Annotator, leaseSeconds?: number): Promise<void> {
    return claims.renew(this.database.db, item, annotator, leaseSeconds)
  }

  /** Saves what is typed, and holds the claim for longer. The text is kept even where the claim was lost. */
  saveDraft(item: string, annotator: Annotator, text: string): Promise<void> {
    return claims.saveDraft(this.database.db, item, annotator, this.#redactText(text))
  }

  /** Gives a claim back. What was typed stays saved. */
  release(item: string, annotator: Annotator): Promise<void> {
    return claims.release(this.database.db, item, annotator)
  }

  /**
   * Stores the edit and closes the item; on disk when it returns. The same submission again gives back the same edit, so that a
   * lost answer does no harm; another final on a closed item is its next version.
   * @throws ClaimError if the item is someone else's; EmendError where the final is empty or the draft itself
   */
  submit(item: string, annotator: Annotator, submission: decisions.Submission): Promise<Edit> {
    const final = this.#redactText(submission.final)
    return decisions.submit(this.database.db, item, annotator, { ...submission, final })
  }

  /** Closes an item without an edit. @throws ClaimError if the item is someone else's */
  discard(item: string, annotator: Annotator, because: { why: DiscardWhy; reason?: string }): Promise<void> {
    return decisions.discard(this.database.db, item, annotator, because)
  }

  /** Passes an item over. @throws ClaimError if the item is someone else's */
  skip(item: string, annotator: Annotator): Promise<void> {
    return decisions.skip(this.database.db, item, annotator)
  }

  /** Takes back the annotator's last decision; the item is claimed again. Null where there is nothing to take back. */
  undo(annotator: Annotator): Promise<decisions.UndoneItem | null> {
    return decisions.undo(this.database.db, annotator)
  }

  /** A page of the queue. */
  items(options?: items.ListOptions): Promise<{ items: items.QueueItem[]; total: number }> {
    return items.listItems(this.database.db, options)
  }

  /** One item, with the annotator's saved draft. @throws EmendError where there is none */
  async item(id: string, annotator?: string): Promise<items.QueueItem> {
    return items.itemOf(await items.readRow(this.database.db, id, annotator ?? null))
  }

  /** How many items stand where. */
  counts(): Promise<Record<ItemStatus, number>> {
    return items.countItems(this.database.db)
  }

  /** An edit by its id, current or not. */
  edit(id: string): Promise<Edit | undefined> {
    return readEdit(this.database.db, id)
  }

  /** The current edits, in the order they came. */
  async *edits(): AsyncGenerator<Edit> {
    const { db } = this.database
    for await (const row of pages(after =>
      selectEdits(db).where('edits.current', '=', 1).where('edits.n', '>', after).orderBy('edits.n'),
    ))
      yield editOf(row)
  }

  /** The decided preferences, in the order they came; draws and undecided ones are left out. */
  async *preferences(): AsyncGenerator<PreferencePair> {
    const { db } = this.database
    for await (const row of pages(after =>
      db
        .selectFrom('preferences')
        .innerJoin('prompts', promptOf('preferences'))
        .selectAll('preferences')
        .select('prompts.prompt as promptJson')
        .where('preferences.n', '>', after)
        .orderBy('preferences.n'),
    )) {
      const { id, first, second, preference } = row
      if (preference === null || preference === 0 || preference === 1.5) continue
      const [chosen, rejected] = preference < 1.5 ? [first, second] : [second, first]
      yield { id, prompt: JSON.parse(row.promptJson) as Prompt, chosen, rejected }
    }
  }

  /** Every prompt, in the order they came. */
  async *prompts(): AsyncGenerator<PromptRecord> {
    const { db } = this.database
    for await (const { id, prompt } of pages(after =>
      db.selectFrom('prompts').selectAll().where('n', '>', after).orderBy('n'),
    ))
      yield { id, prompt: JSON.parse(prompt) as Prompt }
  }

  #redactText(text: string): string {
    const redacted = this.#redact({ text })?.['text']
    return typeof redacted === 'string' ? redacted : ''
  }
}
