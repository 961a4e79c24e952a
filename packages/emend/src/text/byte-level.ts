/** GPT-2's spelling of bytes as printable characters, which byte-level vocabularies are written in. */

/** [256] the character that stands for each byte: printable Latin-1 as it is, the other 68 from U+0100 on, in order. */
export const BYTE_CHARACTERS: readonly string[] = (() => {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++))
})()

const BYTE_OF = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]))

/** The bytes that a byte-level token stands for; undefined where it holds a character that spells no byte. */
export function byteLevelBytes(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length)
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF.get(token[i]!)
    if (byte === undefined) return undefined
    bytes[i] = byte
  }
  return bytes
}
