/** Reads a `config.json` key by key; what is missing, wrong or not supported is named in one line. */

import { EmendError } from '../../errors.js'
import { type Activation, MAX_LAYERS } from '../config.js'

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  relu: 'relu',
}

export class ConfigReader {
  readonly #given: Readonly<Record<string, unknown>>

  /**
   * @param where the file's name, and the key under which an object inside it stands, for messages
   * @throws EmendError when it is no JSON object
   */
  constructor(
    json: unknown,
    readonly where: string,
  ) {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      const got = json === null ? 'null' : Array.isArray(json) ? 'a list' : typeof json
      throw new EmendError(`${where}: got ${got}, expected a JSON object`)
    }
    this.#given = json as Record<string, unknown>
  }

  /** The value under a key; undefined when it is missing or null. */
  get(key: string): unknown {
    return Object.hasOwn(this.#given, key) ? (this.#given[key] ?? undefined) : undefined
  }

  /** Whether the key is there, though it be null. */
  has(key: string): boolean {
    return Object.hasOwn(this.#given, key)
  }

  /** The error of a key whose value is not what was expected. */
  wrong(key: string, expected: string): EmendError {
    const value = this.get(key)
    const got = value === undefined ? 'nothing' : JSON.stringify(value)
    return new EmendError(`${this.where}: ${key}: got ${got}, expected ${expected}`)
  }

  /** A number; without a fallback the key must be there. */
  number(key: string, fallback?: number): number {
    const value = this.get(key) ?? fallback
    if (typeof value !== 'number') throw this.wrong(key, 'a number')
    return value
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.get(key) ?? fallback
    if (typeof value !== 'boolean') throw this.wrong(key, 'true or false')
    return value
  }

  /** An object inside this one, or undefined. */
  object(key: string): ConfigReader | undefined {
    const value = this.get(key)
    return value === undefined ? undefined : new ConfigReader(value, `${this.where}: ${key}`)
  }

  /** A token id, or null; a negative one means none. */
  id(key: string): number | null {
    if (this.get(key) === undefined) return null
    const id = this.number(key)
    return id < 0 ? null : id
  }

  /** Token ids, of which there may be one, several or none. */
  ids(key: string): number[] {
    const value = this.get(key)
    const ids = Array.isArray(value) ? value : value === undefined ? [] : [value]
    if (!ids.every((id): id is number => typeof id === 'number')) throw this.wrong(key, 'token ids')
    return ids
  }

  activation(key: string, fallback: string): Activation {
    const value = this.get(key) ?? fallback
    if (typeof value === 'string' && Object.hasOwn(ACTIVATIONS, value)) return ACTIVATIONS[value]!
    throw new EmendError(
      `${this.where}: ${key} ${JSON.stringify(value)} is not supported, only ${Object.keys(ACTIVATIONS).join(', ')}`,
    )
  }

  /**
   * Which layers slide, from `layer_types`.
   * @param otherwise whether layer i slides, where the file does not say
   */
  slidingLayers(layers: number, otherwise: (layer: number) => boolean): boolean[] {
    const types = this.get('layer_types')
    if (types === undefined) return Array.from({ length: Math.min(layers, MAX_LAYERS) }, (_, i) => otherwise(i))
    if (!Array.isArray(types)) throw this.wrong('layer_types', 'a list')
    return types.map(type => {
      if (type === 'full_attention' || type === 'sliding_attention') return type === 'sliding_attention'
      throw new EmendError(
        `${this.where}: layer_types: ${JSON.stringify(type)} is not supported, only full_attention and sliding_attention`,
      )
    })
  }

  /** Refuses a key that has another value than those we implement; the first stands for its absence. */
  only(key: string, ...allowed: readonly unknown[]): void {
    const value = this.get(key)
    if (value === undefined || allowed.includes(value)) return
    throw new EmendError(
      `${this.where}: ${key} ${JSON.stringify(value)} is not supported, only ${JSON.stringify(allowed[0] ?? null)}`,
    )
  }
}
