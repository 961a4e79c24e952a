/** Identity by content: the same edit has the same id wherever it is read, in a browser as on a server. */

/**
 * 128 bits of the text's UTF-16 units as 32 hexadecimal digits (cyrb128: four multiplicative lanes, mixed at the end). Spreads
 * well and is quick; it is no protection against someone who looks for collisions.
 */
export function contentId(...parts: readonly string[]): string {
  let a = 1779033703
  let b = 3144134277
  let c = 1013904242
  let d = 2773480762
  for (const part of parts) {
    for (let i = 0; i <= part.length; i++) {
      // One past every unit ends a part, so that ('ab', 'c') and ('a', 'bc') differ.
      const unit = i < part.length ? part.charCodeAt(i) : 0x10000
      a = b ^ Math.imul(a ^ unit, 597399067)
      b = c ^ Math.imul(b ^ unit, 2869860233)
      c = d ^ Math.imul(c ^ unit, 951274213)
      d = a ^ Math.imul(d ^ unit, 2716044179)
    }
  }
  a = Math.imul(c ^ (a >>> 18), 597399067)
  b = Math.imul(d ^ (b >>> 22), 2869860233)
  c = Math.imul(a ^ (c >>> 17), 951274213)
  d = Math.imul(b ^ (d >>> 19), 2716044179)
  a ^= b ^ c ^ d
  return [a, b ^ a, c ^ a, d ^ a].map(lane => (lane >>> 0).toString(16).padStart(8, '0')).join('')
}
