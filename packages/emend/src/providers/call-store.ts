/** Answers that were paid, and what was spent, in one SQLite file: no call is paid twice, whatever ends the process. */
import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'libsql'
import { storeId } from '../data/store/identity.js'
import { DataError, oneLine } from '../errors.js'
import type { ChatFinish, ChatMessage, Usage } from './chat-model.js'

/** What an answer depends on. */
export interface CallRequest {
  /** The model's identity. */
  readonly model: string
  readonly messages: readonly ChatMessage[]
  readonly maxTokens: number
  readonly temperature?: number
  readonly seed?: number
  readonly prefill?: string
}

/** An answer as it is kept. */
export interface KeptAnswer {
  readonly text: string
  readonly finish: ChatFinish
  readonly usage?: Usage
}

/** Money is in billionths. */
export interface Spending {
  /** Paid or possibly paid, what is under way at its worst. */
  readonly spent: number
  /** Calls that were begun and never came to an end: under way, or the process died. They count at their worst. */
  readonly open: number
}

const VERSION = 1
const TABLES = `
  CREATE TABLE IF NOT EXISTS calls(
    key TEXT PRIMARY KEY, model TEXT NOT NULL, request TEXT NOT NULL, text TEXT NOT NULL, finish TEXT NOT NULL,
    input INTEGER, output INTEGER, at TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS attempts(
    n INTEGER PRIMARY KEY, key TEXT NOT NULL, worst INTEGER NOT NULL, cost INTEGER, failure TEXT, at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS open_attempts ON attempts(n) WHERE cost IS NULL;
  CREATE TABLE IF NOT EXISTS spending(one INTEGER PRIMARY KEY CHECK (one = 1), spent INTEGER NOT NULL) STRICT;
  INSERT OR IGNORE INTO spending VALUES(1, 0);
  PRAGMA user_version = ${VERSION};`

function whyNot(error: unknown): string {
  const { code = '', message = '' } = error as { code?: string; message?: string }
  if (code.startsWith('SQLITE_BUSY')) return 'another process makes calls with it; wait for it, or name another file'
  if (code === 'SQLITE_NOTADB') return 'no SQLite file; name another'
  return message.includes('Unable to open') ? 'it cannot be opened; is it a folder, or not yours?' : oneLine(error)
}

/** Identity of a call by content. */
export const callKey = (request: CallRequest): string => storeId('call', request)

/**
 * One process at a time: two would pay for the same call. A reservation is written before its call goes out, so that a process
 * that dies in the middle leaves the worst of it counted. An answer is synced to disk before it is given: it outlives the machine's
 * end as well.
 */
export class CallStore implements Disposable {
  readonly #db: Database.Database

  /** Opens a file, made if it is not there; `:memory:` keeps nothing. @throws DataError where it is no file of calls */
  constructor(readonly path: string) {
    try {
      if (path !== ':memory:' && !existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true })
      this.#db = new Database(path)
      const { user_version: version, tables } = this.#db
        .prepare('SELECT user_version, (SELECT count(*) FROM sqlite_master) AS tables FROM pragma_user_version')
        .get() as { user_version: number; tables: number }
      if (version > VERSION || (version === 0 && tables > 0))
        throw new Error(version > VERSION ? 'made by a newer version of emend' : 'an SQLite file of something else')
      // The lock is held until the file is closed, or the process is gone.
      this.#db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
      this.#db.exec(TABLES)
    } catch (error) {
      throw new DataError(`cannot be used for calls: ${whyNot(error)}`, { file: path }, { cause: error })
    }
  }

  /** The answer to a call that was made before. */
  find(key: string): KeptAnswer | undefined {
    // As bytes: libsql gives a text as far as its first NUL.
    const row = this.#db
      .prepare('SELECT CAST(text AS BLOB) AS text, finish, input, output FROM calls WHERE key = ?')
      .get(key) as { text: Buffer; finish: ChatFinish; input: number | null; output: number | null } | undefined
    if (!row) return undefined
    const { text, finish, input, output } = row
    return { text: text.toString(), finish, ...(input !== null && output !== null && { usage: { input, output } }) }
  }

  /**
   * Sets money aside before a call.
   *
   * @param worst the most it can cost, in billionths
   * @param cap most that may be spent in all, or Infinity
   * @returns the number of the attempt; undefined where the cap leaves no room
   */
  reserve(key: string, worst: number, cap: number): number | undefined {
    return this.#transaction(() => {
      if (Number.isFinite(cap) && this.spending().spent + worst > cap) return undefined
      this.#db.prepare('UPDATE spending SET spent = spent + ?').run(worst)
      const at = new Date().toISOString()
      const { lastInsertRowid } = this.#db
        .prepare('INSERT INTO attempts(key, worst, at) VALUES(?, ?, ?)')
        .run(key, worst, at)
      return Number(lastInsertRowid)
    })
  }

  /** Ends an attempt with an answer, which is kept, and with what it cost; its worst where that is not known. */
  answered(attempt: number, key: string, request: CallRequest, answer: KeptAnswer, cost?: number): void {
    this.#synced(() => {
      this.#settle(attempt, cost ?? this.#worstOf(attempt), null)
      this.#db
        .prepare('INSERT OR IGNORE INTO calls VALUES(?, ?, ?, CAST(? AS TEXT), ?, ?, ?, ?)')
        .run(
          key,
          request.model,
          JSON.stringify(request),
          Buffer.from(answer.text),
          answer.finish,
          answer.usage?.input ?? null,
          answer.usage?.output ?? null,
          new Date().toISOString(),
        )
    })
  }

  /** Ends an attempt without an answer. @param charged whether it may be charged for: then its worst stays counted */
  failed(attempt: number, failure: string, charged: boolean): void {
    this.#transaction(() => this.#settle(attempt, charged ? this.#worstOf(attempt) : 0, failure))
  }

  /** What was spent with this file, in all its runs. */
  spending(): Spending {
    const { spent, open } = this.#db
      .prepare('SELECT spent, (SELECT count(*) FROM attempts WHERE cost IS NULL) AS open FROM spending')
      .get() as Spending
    return { spent, open }
  }

  /** Gives the file back. */
  close(): void {
    // The library closes a file for good only when its statements are collected: the lock is given back by hand.
    this.#db.exec('PRAGMA journal_mode = DELETE; PRAGMA locking_mode = NORMAL; UPDATE spending SET spent = spent')
    this.#db.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #worstOf(attempt: number): number {
    return (this.#db.prepare('SELECT worst FROM attempts WHERE n = ?').get(attempt) as { worst: number }).worst
  }

  #settle(attempt: number, cost: number, failure: string | null): void {
    this.#db
      .prepare('UPDATE spending SET spent = spent + ? - (SELECT worst FROM attempts WHERE n = ?)')
      .run(cost, attempt)
    this.#db.prepare('UPDATE attempts SET cost = ?, failure = ? WHERE n = ?').run(cost, failure, attempt)
  }

  #synced(work: () => void): void {
    this.#db.exec('PRAGMA synchronous = FULL')
    try {
      this.#transaction(work)
    } finally {
      this.#db.exec('PRAGMA synchronous = NORMAL')
    }
  }

  #transaction<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.#db.exec('COMMIT')
      return result
    } catch (error) {
      this.#db.exec('ROLLBACK')
      throw error
    }
  }
}
