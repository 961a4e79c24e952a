/** Texts that hold U+0000: libsql gives back a text as far as its first NUL, so such a text stands in the file as its bytes. */

import Database from 'libsql'

/** A statement whose texts come back as they were bound, whatever characters they hold. */
export interface TextStatement {
  /** Whether it gives rows. */
  readonly reader: boolean
  run(parameters: readonly unknown[]): Database.RunResult
  get(parameters: readonly unknown[]): unknown
  all(parameters: readonly unknown[]): unknown[]
  iterate(parameters: readonly unknown[]): IterableIterator<unknown>
}

/** A connection for which a text with a NUL is UTF-8 in a BLOB, and every BLOB a text: a store holds no others. */
export class TextDatabase {
  readonly #database: Database.Database

  constructor(path: string) {
    this.#database = new Database(path)
  }

  get open(): boolean {
    return this.#database.open
  }

  exec(sql: string): void {
    this.#database.exec(sql)
  }

  prepare(sql: string): TextStatement {
    const statement = this.#database.prepare<unknown[]>(sql)
    return {
      reader: statement.reader,
      run: parameters => statement.run(bindable(parameters)),
      get: parameters => readable(statement.get(bindable(parameters))),
      all: parameters => statement.all(bindable(parameters)).map(readable),
      *iterate(parameters) {
        for (const row of statement.iterate(bindable(parameters))) yield readable(row)
      },
    }
  }

  close(): void {
    this.#database.close()
  }
}

/** An array of its own only where a text holds a NUL: imports bind millions of values. */
function bindable(parameters: readonly unknown[]): unknown[] {
  for (const value of parameters)
    if (typeof value === 'string' && value.includes('\0'))
      return parameters.map(each => (typeof each === 'string' && each.includes('\0') ? Buffer.from(each) : each))
  return parameters as unknown[]
}

/** libsql gives bytes as a Buffer, or, of several rows, as an ArrayBuffer. */
function readable(row: unknown): unknown {
  const record = row as Record<string, unknown>
  for (const name in record) {
    const value = record[name]
    if (value instanceof ArrayBuffer) record[name] = Buffer.from(value).toString()
    else if (Buffer.isBuffer(value)) record[name] = value.toString()
  }
  return row
}
