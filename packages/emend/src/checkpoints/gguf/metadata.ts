/** The metadata of a GGUF file, read by key with the type that is expected. */

import { EmendError } from '../../errors.js'
import type { GgufHeader } from './header.js'

export class Metadata {
  readonly #header: GgufHeader

  constructor(header: GgufHeader) {
    this.#header = header
  }

  fail(key: string, what: string): never {
    throw new EmendError(`${this.#header.path}: ${key}: ${what}`)
  }

  has(key: string): boolean {
    return this.#header.metadata.has(key)
  }

  keys(): IterableIterator<string> {
    return this.#header.metadata.keys()
  }

  string(key: string): string {
    return this.optionalString(key) ?? this.fail(key, 'is missing')
  }

  optionalString(key: string): string | undefined {
    const value = this.#header.metadata.get(key)
    if (value === undefined || typeof value === 'string') return value
    return this.fail(key, `got ${short(value)}, expected a string`)
  }

  boolean(key: string, otherwise: boolean): boolean {
    const value = this.#header.metadata.get(key) ?? otherwise
    return typeof value === 'boolean' ? value : this.fail(key, `got ${short(value)}, expected true or false`)
  }

  /** A finite number. */
  number<T extends number | null = number>(key: string, otherwise?: T): number | T {
    const value = this.#header.metadata.get(key)
    if (value === undefined && otherwise !== undefined) return otherwise
    if (typeof value === 'number' && Number.isFinite(value)) return value
    return this.fail(key, value === undefined ? 'is missing' : `got ${short(value)}, expected a number`)
  }

  /** A whole number from 0. */
  whole<T extends number | null = number>(key: string, otherwise?: T): number | T {
    const value = this.number(key, otherwise)
    if (value === null || (Number.isSafeInteger(value) && (value as number) >= 0)) return value
    return this.fail(key, `got ${value}, expected a whole number`)
  }

  strings(key: string): readonly string[] {
    const value = this.#header.metadata.get(key)
    if (Array.isArray(value) && value.every(each => typeof each === 'string')) return value
    return this.fail(key, value === undefined ? 'is missing' : `got ${short(value)}, expected an array of strings`)
  }

  /** An array of `length` numbers; undefined where the key is missing. */
  numbers(key: string, length: number): readonly number[] | undefined {
    const value = this.#header.metadata.get(key)
    if (value === undefined) return undefined
    if (!Array.isArray(value) || !value.every(each => typeof each === 'number')) {
      return this.fail(key, `got ${short(value)}, expected an array of numbers`)
    }
    if (value.length !== length) this.fail(key, `got ${value.length} values, expected ${length}`)
    return value
  }
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}
