/** Opens the SQLite file of a store through libsql, for Kysely; several processes may have it open at once. */

import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import {
  CompiledQuery,
  type DatabaseConnection,
  DEFAULT_MIGRATION_TABLE,
  type DialectAdapter,
  type Driver,
  Kysely,
  Migrator,
  SqliteAdapter,
  SqliteDialect,
  sql,
} from 'kysely'
import { DataError } from '../../errors.js'
import { migrations } from './migrations.js'
import type { Tables } from './schema.js'
import { TextDatabase } from './texts.js'

/** How long a writer waits for another process's transaction. */
const BUSY_MS = 30_000

/** A store's connection: queries through Kysely, and the same connection bare for bulk work. */
export interface OpenDatabase {
  readonly db: Kysely<Tables>
  readonly raw: TextDatabase
}

/**
 * Opens a store, made if it is not there, its tables brought up to date.
 *
 * Write-ahead log, so that readers never wait; every commit is synced to disk before it is acknowledged.
 *
 * @param readonly the file must be there, and no write reaches it
 * @throws DataError where the file cannot be opened, is no SQLite file, or was made by a newer Emend
 */
export async function openDatabase(path: string, { readonly = false } = {}): Promise<OpenDatabase> {
  if (readonly && !existsSync(path)) throw new DataError('no such store; check the path', { file: path })
  let raw: TextDatabase | undefined
  try {
    if (!readonly) mkdirSync(dirname(path), { recursive: true })
    raw = new TextDatabase(path)
    raw.exec(`PRAGMA busy_timeout = ${BUSY_MS}`)
    raw.exec(readonly ? 'PRAGMA query_only = 1' : 'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    const db = new Kysely<Tables>({ dialect: new ImmediateDialect({ database: raw }) })
    await migrate(db, path, readonly)
    return { db, raw }
  } catch (error) {
    if (raw?.open) raw.close()
    throw unopened(path, error)
  }
}

async function migrate(db: Kysely<Tables>, path: string, readonly: boolean): Promise<void> {
  const done = await executed(db)
  const unknown = done.find(name => !Object.hasOwn(migrations, name))
  if (unknown)
    throw new DataError(`made by a newer version of emend (its step ${unknown} is unknown here); update emend`, {
      file: path,
    })
  if (done.length === Object.keys(migrations).length) return
  if (readonly)
    throw new DataError(
      done.length === 0
        ? 'an SQLite file, but no store of emend'
        : 'made by an older version of emend; emend studio or emend import with this store brings it up to date',
      { file: path },
    )
  const { error } = await new Migrator({ db, provider: { getMigrations: async () => migrations } }).migrateToLatest()
  if (error) throw error
}

/** Names of the steps that made the file what it is. */
async function executed(db: Kysely<Tables>): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some(table => table.name === DEFAULT_MIGRATION_TABLE)) return []
  const { rows } = await sql<{ name: string }>`select name from ${sql.table(DEFAULT_MIGRATION_TABLE)}`.execute(db)
  return rows.map(row => row.name)
}

/** Transactions take the write lock at once: one that begins by reading would fail, not wait, when it comes to write. */
class ImmediateDialect extends SqliteDialect {
  override createDriver(): Driver {
    return Object.assign(super.createDriver(), {
      beginTransaction: async (connection: DatabaseConnection) => {
        await connection.executeQuery(CompiledQuery.raw('begin immediate'))
      },
    })
  }

  override createAdapter(): DialectAdapter {
    return new TransactionalAdapter()
  }
}

/** Has a migration run in a transaction, all of it or nothing: of processes that open a new store at once the first makes it. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

function unopened(path: string, error: unknown): Error {
  if (error instanceof DataError) return error
  const { code, message } = error as { code?: string; message: string }
  const what =
    code === 'SQLITE_NOTADB'
      ? 'no SQLite file; name another with --store, or import the file into one'
      : code === 'SQLITE_BUSY'
        ? `another process has written to it for ${BUSY_MS / 1000} s; try again when it is done`
        : `cannot be opened as a store: ${message}`
  return new DataError(what, { file: path }, { cause: error })
}
