/** Counter-based random numbers: a pure function of a key, the same on every machine, device and thread (Threefry). */

/**
 * Threefry-2x32 with 20 rounds: two 32-bit words from a key of two words and a counter of two words. Only additions,
 * rotations and exclusive ors of 32-bit integers, so that it is exact in every JavaScript engine.
 * Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011; the generator of JAX.
 * The words are written into `out`.
 */
export function threefry(key0: number, key1: number, counter0: number, counter1: number, out: Uint32Array): void {
  const key2 = key0 ^ key1 ^ 0x1bd11bda
  let x = (counter0 + key0) | 0
  let y = (counter1 + key1) | 0
  // 20 rounds in five groups of four; the rotations alternate between two sets, and after each group a part of the key
  // is injected. Written out, because this is the inner loop of every random number there is.
  x = (x + y) | 0
  y = ((y << 13) | (y >>> 19)) ^ x
  x = (x + y) | 0
  y = ((y << 15) | (y >>> 17)) ^ x
  x = (x + y) | 0
  y = ((y << 26) | (y >>> 6)) ^ x
  x = (x + y) | 0
  y = ((y << 6) | (y >>> 26)) ^ x
  x = (x + key1) | 0
  y = (y + key2 + 1) | 0
  x = (x + y) | 0
  y = ((y << 17) | (y >>> 15)) ^ x
  x = (x + y) | 0
  y = ((y << 29) | (y >>> 3)) ^ x
  x = (x + y) | 0
  y = ((y << 16) | (y >>> 16)) ^ x
  x = (x + y) | 0
  y = ((y << 24) | (y >>> 8)) ^ x
  x = (x + key2) | 0
  y = (y + key0 + 2) | 0
  x = (x + y) | 0
  y = ((y << 13) | (y >>> 19)) ^ x
  x = (x + y) | 0
  y = ((y << 15) | (y >>> 17)) ^ x
  x = (x + y) | 0
  y = ((y << 26) | (y >>> 6)) ^ x
  x = (x + y) | 0
  y = ((y << 6) | (y >>> 26)) ^ x
  x = (x + key0) | 0
  y = (y + key1 + 3) | 0
  x = (x + y) | 0
  y = ((y << 17) | (y >>> 15)) ^ x
  x = (x + y) | 0
  y = ((y << 29) | (y >>> 3)) ^ x
  x = (x + y) | 0
  y = ((y << 16) | (y >>> 16)) ^ x
  x = (x + y) | 0
  y = ((y << 24) | (y >>> 8)) ^ x
  x = (x + key1) | 0
  y = (y + key2 + 4) | 0
  x = (x + y) | 0
  y = ((y << 13) | (y >>> 19)) ^ x
  x = (x + y) | 0
  y = ((y << 15) | (y >>> 17)) ^ x
  x = (x + y) | 0
  y = ((y << 26) | (y >>> 6)) ^ x
  x = (x + y) | 0
  y = ((y << 6) | (y >>> 26)) ^ x
  out[0] = (x + key2) | 0
  out[1] = (y + key0 + 5) | 0
}

const block = new Uint32Array(2)

/** Absorbs a key of any length into `block`: one Threefry block a number, chained. */
function absorb(key: readonly number[]): void {
  block[0] = 0
  block[1] = 0
  for (const word of key) {
    if (!Number.isSafeInteger(word)) {
      throw new TypeError(`random key [${key.join(', ')}]: got ${String(word)}, expected safe integers`)
    }
    // Two's complement, 32 bits at a time; a negative number differs from every positive one in its high word.
    threefry(block[0]!, block[1]!, word | 0, Math.floor(word / 0x1_0000_0000) | 0, block)
  }
}

/** 53 random bits from two words, in [0, 1). */
const toUnit = (high: number, low: number): number => ((high >>> 5) * 0x400_0000 + (low >>> 6)) / 0x20_0000_0000_0000

/**
 * A 32-bit unsigned integer, a pure function of the key (any number of safe integers, such as seed, request, position).
 * @throws TypeError when a key is no safe integer
 */
export function hash32(...key: number[]): number {
  absorb(key)
  return block[0]!
}

/**
 * One number in [0, 1) with 53 random bits, a pure function of the key: `u = uniform(seed, request, position)`.
 * `uniform(...key, i)` is element i of `randomUniform(key, n)`.
 * @throws TypeError when a key is no safe integer
 */
export function uniform(...key: number[]): number {
  absorb(key)
  return toUnit(block[0]!, block[1]!)
}

/**
 * n numbers in [0, 1), each with 53 random bits. A longer draw begins with the shorter one.
 * @throws TypeError when a key is no safe integer
 */
export function randomUniform(key: readonly number[], n: number): Float64Array {
  absorb(key)
  const key0 = block[0]!
  const key1 = block[1]!
  const numbers = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    threefry(key0, key1, i | 0, Math.floor(i / 0x1_0000_0000), block)
    numbers[i] = toUnit(block[0]!, block[1]!)
  }
  return numbers
}

/**
 * n standard normal numbers (Box–Muller: a block of two 32-bit words gives two of them; the tails end at 6.7 σ).
 * A longer draw begins with the shorter one.
 * @throws TypeError when a key is no safe integer
 */
export function randomNormal(key: readonly number[], n: number): Float32Array {
  absorb(key)
  const key0 = block[0]!
  const key1 = block[1]!
  const numbers = new Float32Array(n)
  for (let i = 0; i < n; i += 2) {
    threefry(key0, key1, (i / 2) | 0, Math.floor(i / 0x2_0000_0000), block)
    const radius = Math.sqrt(-2 * Math.log((block[0]! + 0.5) / 0x1_0000_0000))
    const angle = (2 * Math.PI * block[1]!) / 0x1_0000_0000
    numbers[i] = radius * Math.cos(angle)
    if (i + 1 < n) numbers[i + 1] = radius * Math.sin(angle)
  }
  return numbers
}

/**
 * A random order of 0 … n-1, a pure function of the key (Fisher–Yates).
 * @throws TypeError when a key is no safe integer
 */
export function permutation(key: readonly number[], n: number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i)
  const numbers = randomUniform(key, n)
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(numbers[i]! * (i + 1))
    const swapped = order[i]!
    order[i] = order[j]!
    order[j] = swapped
  }
  return order
}
