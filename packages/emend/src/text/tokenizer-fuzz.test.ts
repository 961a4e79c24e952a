import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EmendError } from '../errors.js'
import { Tokenizer } from './tokenizer.js'

const ODD: readonly unknown[] = [
  null,
  true,
  5,
  -1,
  1.5,
  1e300,
  '',
  'x',
  '\u0000',
  [],
  [5],
  [null],
  [[]],
  {},
  { type: 'x' },
  { content: 5 },
  [{}],
  ['a b c'],
  [['a']],
]

/** Every place in a JSON value, as keys from the root. */
function places(value: unknown, here: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [here]
  return [here, ...Object.entries(value).flatMap(([key, inner]) => places(inner, [...here, key]))]
}

function changed(value: unknown, [key, ...rest]: readonly string[], to: unknown): unknown {
  if (key === undefined) return to
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>
  if (rest.length > 0 || to !== undefined) copy[key] = changed(copy[key], rest, to)
  else delete copy[key]
  return copy
}

/** A tokenizer with few tokens, so that the parts are hit as often as the vocabulary. */
function small(name: string) {
  const json = JSON.parse(
    readFileSync(new URL(`../../goldens/tokenizers/${name}/tokenizer.json`, import.meta.url), 'utf8'),
  )
  const { vocab, merges } = json.model
  const few = Array.isArray(vocab) ? vocab.slice(0, 12) : Object.fromEntries(Object.entries(vocab).slice(0, 12))
  const known = (merge: [string, string]) => [...merge, merge.join('')].every(token => token in few)
  let next = 12
  const added_tokens = json.added_tokens.map((token: { content: string; id: number }) =>
    Array.isArray(vocab) || token.content in few ? token : { ...token, id: next++ },
  )
  return {
    ...json,
    added_tokens,
    model: { ...json.model, vocab: few, ...(merges && { merges: merges.filter(known) }) },
  }
}

/** Loads it and uses all of it. */
async function use(text: string): Promise<void> {
  const tokenizer = Tokenizer.parse(text, { where: 'here.json' })
  for (const specials of [false, true]) {
    const { ids } = await tokenizer.encode('to be <|im_end|> ▁ é', { specials })
    expect(tokenizer.decode(ids, { specials: true })).toBeTypeOf('string')
    expect(tokenizer.locate(ids).tile.length).toBe(ids.length + 1)
  }
  await tokenizer.encode('to be', { continued: true })
}

describe.each(['byte-level', 'byte-fallback', 'unigram'])('a broken tokenizer.json (%s)', name => {
  const json = small(name)
  const all = places(json)

  it('loads, or is one clear error', { timeout: 60_000 }, async () => {
    let refused = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(all.length - 1), fc.nat(ODD.length)), { minLength: 1, maxLength: 2 }),
        async changes => {
          let broken: unknown = json
          for (const [place, to] of changes) {
            const keys = all[place]!
            // A second change may have lost its place to the first.
            try {
              broken = changed(broken, keys, ODD[to])
            } catch {}
          }
          try {
            await use(JSON.stringify(broken) ?? '')
          } catch (error) {
            refused++
            expect(error).toBeInstanceOf(EmendError)
            expect((error as Error).message).toMatch(/^here\.json: .+$/)
          }
        },
      ),
      { numRuns: 700 },
    )
    expect(refused).toBeGreaterThan(100)
  })
})

describe('says what is wrong with', () => {
  const json = small('byte-level')
  it.each([
    ['added tokens', { ...json, added_tokens: 5 }, 'added_tokens: expected a list of {id, content}, got number 5'],
    [
      'an added token',
      { ...json, added_tokens: [{ id: '1', content: 'x' }] },
      'added_tokens[0]: expected {id, content}',
    ],
    [
      'an entry',
      { ...json, model: { type: 'Unigram', unk_id: 0, vocab: [['a', -1], null] } },
      'vocab[1]: expected [token, score], got null',
    ],
    ['a merge', { ...json, model: { ...json.model, merges: [5] } }, 'merges[0]: expected two tokens, got number 5'],
    [
      'a merge of three',
      { ...json, model: { ...json.model, merges: [['a', 'b', 'c']] } },
      'merges[0]: expected two tokens, got an array of 3',
    ],
    [
      'an id',
      { ...json, model: { ...json.model, vocab: { a: 1.5 } } },
      "vocab['a']: expected a whole number, got number 1.5",
    ],
    [
      'ids that are not where they would be',
      { ...json, added_tokens: [{ ...json.added_tokens[0], id: 99 }] },
      "added token '<|endoftext|>': got id 99, where the library counts 12",
    ],
    ['a decoder', { ...json, decoder: [] }, 'decoder: expected {type, …}'],
  ])('%s', async (_, broken, said) => {
    await expect(use(JSON.stringify(broken))).rejects.toThrow(said)
  })
})
