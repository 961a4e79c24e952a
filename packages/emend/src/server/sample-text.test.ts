import fc from 'fast-check'
import { beforeAll, expect, it } from 'vitest'
import { BYTE_CHARACTERS } from '../text/byte-level.js'
import { type Tokenizer, trainTokenizer } from '../text/index.js'
import type { SettledToken } from './protocol.js'
import { SampleText, type Settled } from './sample-text.js'

let tokenizer: Tokenizer
beforeAll(async () => {
  tokenizer = await trainTokenizer(['the cat sat on the mat, the café'], { vocabSize: 262 })
})

/** Streams ids until a stop text comes. */
function stream(ids: readonly number[], stops: readonly string[] = [], of = tokenizer) {
  const sample = new SampleText(of, stops, true)
  const pieces: string[] = []
  const tokens: SettledToken[] = []
  const take = ({ text, tokens: settled = [] }: Settled) => {
    pieces.push(text)
    tokens.push(...settled)
  }
  let taken = 0
  while (taken < ids.length && !sample.stopped) take(sample.push({ id: ids[taken++]!, logprob: 0, top: [] }))
  take(sample.end())
  return { text: pieces.join(''), pieces, starts: tokens.map(({ start }) => start), tokens, taken }
}

/** One token a byte. */
const spelled = (text: string) =>
  Array.from(new TextEncoder().encode(text), byte => tokenizer.idOf(BYTE_CHARACTERS[byte]!)!)

it('never cuts a character: its tokens come with its last byte', () => {
  const { pieces, starts } = stream(spelled('aé😀b'))
  expect(pieces).toEqual(['a', '', 'é', '', '', '', '😀', 'b', ''])
  expect(starts).toEqual([0, 1, 1, 2, 2, 2, 2, 4])
  expect(stream(spelled('a€').slice(0, 3))).toMatchObject({ pieces: ['a', '', '', '\ufffd'], starts: [0, 1, 1] })
})

it('holds back what may begin a stop text, and gives it when it does not', () => {
  const { pieces, starts } = stream(spelled('aENxE'), ['END'])
  expect(pieces).toEqual(['a', '', '', 'ENx', '', 'E'])
  expect(starts).toEqual([0, 1, 2, 3, 4])
})

it('ends before the first stop text, and with it go its tokens', () => {
  const { text, starts, taken } = stream(spelled('abENDcd'), ['STOP', 'END'])
  expect([text, taken]).toEqual(['ab', 5])
  expect(starts).toEqual([0, 1])
  expect(stream(spelled('abc'), ['bc', 'ab']).text).toBe('')
  expect(stream(spelled('aab'), ['ab']).text).toBe('a')
})

it('keeps a token of which a part stands before the stop text', () => {
  const the = tokenizer.idOf('the')!
  const { text, tokens } = stream([the, ...spelled('x')], ['he'])
  expect(text).toBe('t')
  expect(tokens.map(({ id }) => id)).toEqual([the])
})

it('special tokens have no text', () => {
  const { text, tokens } = stream([...spelled('a'), tokenizer.padId!, ...spelled('b')])
  expect(text).toBe('ab')
  expect(tokens.map(({ id, start }) => [id, start])).toEqual([
    [spelled('a')[0], 0],
    [tokenizer.padId, 1],
    [spelled('b')[0], 1],
  ])
})

/** Ids of characters of one to four bytes, a byte a token, whole merges and specials among them. */
const anyIds = fc
  .array(
    fc.oneof(
      fc.constantFrom('a', 'é', '€', '😀').map(text => spelled(text)),
      fc.nat(261).map(id => [id]),
    ),
    { maxLength: 20 },
  )
  .map(parts => parts.flat())

it('its pieces make the text of the ids, and its tokens begin where the layout says', () => {
  fc.assert(
    fc.property(anyIds, ids => {
      const { text, tokens } = stream(ids)
      expect(text).toBe(tokenizer.decode(ids))
      expect(tokens.map(({ id }) => id)).toEqual(ids)
      if (text.includes('\ufffd')) return
      expect(tokens.map(({ start }) => start)).toEqual(tokenizer.locate(ids).cover.map(([start]) => start))
    }),
    { numRuns: 1000 },
  )
})
