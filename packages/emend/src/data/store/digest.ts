/** What a store teaches, as a digest: its bytes change with every saved draft and every checkpoint of its log, its edits do not. */

import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'

/** SHA-256 (hex) of the ids of the current edits and of the preferences, in order; undefined where the file is no SQLite file. */
export function storeDigest(path: string): string | undefined {
  const magic = Buffer.alloc(16)
  const file = openSync(path, 'r')
  try {
    readSync(file, magic)
  } finally {
    closeSync(file)
  }
  if (magic.toString('latin1') !== 'SQLite format 3\0') return undefined
  // Synchronous as fingerprints are, and loaded only where there is a store.
  const Database = createRequire(import.meta.url)('libsql') as typeof import('libsql')
  const db = new Database(path)
  try {
    db.exec('PRAGMA query_only = 1')
    const hash = createHash('sha256')
    for (const sql of ['select id from edits where current = 1 order by n', 'select id from preferences order by n']) {
      hash.update('\n')
      for (const row of db.prepare(sql).iterate()) hash.update((row as { id: string }).id)
    }
    return hash.digest('hex')
  } finally {
    db.close()
  }
}
