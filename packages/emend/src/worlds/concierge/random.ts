/** Counter-based random numbers: the i-th draw is a pure function of a key and i, so every text of the world can be made alone. */

/** What identifies a stream of draws. Equal parts give equal draws on every machine. */
export type Key = number | string

// lowbias32, a bijective 32-bit mixer (https://github.com/skeeto/hash-prospector)
function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad)
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97)
  return (x ^ (x >>> 15)) >>> 0
}

/** FNV-1a over UTF-16 units, then mixed. @returns an integer in [0, 2³²) */
export function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return mix(h)
}

/** A stream of draws for one key. Two streams with different keys are independent for all purposes of a simulation. */
export class Draws {
  readonly #a: number
  readonly #b: number
  #i = 0

  constructor(...key: readonly Key[]) {
    let a = 0x243f6a88
    let b = 0x85a308d3
    for (const part of key) {
      // numbers are hashed by their decimal text, so that fractions and large integers are safe; 1 and '1' differ
      const word = typeof part === 'number' ? hash(`#${part}`) : hash(part)
      a = mix(a ^ word)
      b = mix(Math.imul(b, 0x9e3779b1) + word + 1)
    }
    this.#a = a
    this.#b = b
  }

  /** A uniform number in [0, 1) with 32 random bits. */
  next(): number {
    const i = this.#i++
    return mix(this.#a ^ mix((this.#b + Math.imul(i, 0x9e3779b9)) | 0)) / 2 ** 32
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.next() < p
  }

  /** An integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.next() * n)
  }

  /** One element, uniformly. Throws on an empty list. */
  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError('Draws.pick: got an empty list, expected at least one element')
    return list[this.below(list.length)] as T
  }

  /** An index drawn in proportion to non-negative weights, not all zero. */
  weighted(weights: readonly number[]): number {
    let left = this.next() * weights.reduce((sum, w) => sum + w, 0)
    for (let i = 0; i < weights.length; i++) {
      left -= weights[i]!
      if (left < 0) return i
    }
    return weights.findLastIndex(w => w > 0)
  }

  /** A new list in random order (Fisher–Yates). */
  shuffle<T>(list: readonly T[]): T[] {
    const out = [...list]
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      ;[out[i], out[j]] = [out[j]!, out[i]!]
    }
    return out
  }
}
