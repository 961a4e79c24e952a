import { expect, it } from 'vitest'
import { BYTE_CHARACTERS, byteLevelBytes } from './byte-level.js'

it('spells bytes as GPT-2 does', () => {
  expect(BYTE_CHARACTERS[0x20]).toBe('Ġ')
  expect(BYTE_CHARACTERS[0x0a]).toBe('Ċ')
  expect(BYTE_CHARACTERS[0x41]).toBe('A')
  expect(BYTE_CHARACTERS[0xad]).toBe('Ń')
  expect(new Set(BYTE_CHARACTERS).size).toBe(256)
})

it('reads bytes back, and nothing else', () => {
  expect([...byteLevelBytes('ĠðŁĺ')!]).toEqual([0x20, 0xf0, 0x9f, 0x98])
  expect(byteLevelBytes('<｜end｜>')).toBeUndefined()
})
