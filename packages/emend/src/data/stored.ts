/** A store in place of a file: what trains takes either. */

import { open } from 'node:fs/promises'
import { type JsonLine, readRecords } from './jsonl.js'
import type { BrokenLine } from './lines.js'
import type { Store } from './store/store.js'

const MAGIC = 'SQLite format 3\0'

/** Whether a path is a store, told by its first bytes; false where there is nothing to read. */
export async function isStore(path: string): Promise<boolean> {
  try {
    const file = await open(path)
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0)
      return buffer.toString('latin1', 0, bytesRead) === MAGIC
    } finally {
      await file.close()
    }
  } catch {
    return false
  }
}

/** The current edits of a store, or the records of a file. */
export const editRows = (path: string) => rows(path, store => store.edits())

/** The decided preferences of a store, or the records of a file. */
export const preferenceRows = (path: string) => rows(path, store => store.preferences())

async function* rows(
  path: string,
  records: (store: Store) => AsyncIterable<object>,
): AsyncGenerator<JsonLine | BrokenLine> {
  if (!(await isStore(path))) {
    yield* readRecords(path)
    return
  }
  // Loaded when a store is read: everyone else does without SQLite.
  const { Store } = await import('./store/store.js')
  await using store = await Store.open(path, { readonly: true })
  let line = 0
  for await (const value of records(store)) yield { line: ++line, value }
}
