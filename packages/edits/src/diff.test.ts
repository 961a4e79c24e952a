import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cpuTime } from '../fixtures/cpu-time.js'
import { insertions, replay, verifyOps } from './apply.js'
import { diffTexts } from './diff.js'
import { checkOps, editedCharacters, keptSpans } from './operations.js'
import { segments } from './segments.js'
import { words } from './words.js'

/** `I like [-dogs-]{+cats+}.`, so that an expectation reads as people read an edit. */
function redline(draft: string, final: string): string {
  return segments(draft, final, diffTexts(draft, final))
    .map(({ kind, text }) => (kind === 'kept' ? text : kind === 'deleted' ? `[-${text}-]` : `{+${text}+}`))
    .join('')
}

describe('diffTexts, by hand', () => {
  it.each([
    ['nothing', 'The room is 12.', 'The room is 12.', 'The room is 12.'],
    ['a substitution', 'I like dogs.', 'I like mice.', 'I like [-dogs-]{+mice+}.'],
    ['an insertion takes its leading space', 'I like cats.', 'I like big cats.', 'I like{+ big+} cats.'],
    ['a deletion takes its leading space', 'I like big cats.', 'I like cats.', 'I like[- big-] cats.'],
    ['an insertion at the start', 'cats run', 'big cats run', '{+big +}cats run'],
    ['an insertion at the end', 'cats', 'cats run', 'cats{+ run+}'],
    ['characters inside a word', 'my colour is', 'my color is', 'my colo[-u-]r is'],
    ['letters that unlike words share', 'one of them', 'one our them', 'one [-of-]{+our+} them'],
    ['another ending', 'they managing it', 'they managed it', 'they manag[-ing-]{+ed+} it'],
    ['a number', 'at 10:30 sharp', 'at 10:45 sharp', 'at 10:[-30-]{+45+} sharp'],
    ['two words with a space between them merge', 'a b c d', 'a x y d', 'a [-b c-]{+x y+} d'],
    ['a match of a comma and a space merges', 'red, green', 'white, black', '[-red, green-]{+white, black+}'],
    ['a whole text', '', 'all new', '{+all new+}'],
    ['an emptied text', 'all old', '', '[-all old-]'],
    ['white space', '  Tagging', ' Tagging', ' [- -]Tagging'],
    ['an emoji is never cut', 'so 😀!', 'so 😁!', 'so [-😀-]{+😁+}!'],
    ['a script without spaces', '我喜欢狗。', '我喜欢猫。', '我喜欢[-狗-]{+猫+}。'],
  ])('%s', (_, draft, final, expected) => {
    expect(redline(draft, final)).toBe(expected)
  })

  it('gives the ranges of both sides', () => {
    expect(diffTexts('I like cats.', 'I like big dogs.')).toEqual([{ op: 'replace', draft: [7, 11], final: [7, 15] }])
    expect(diffTexts('a word here', 'a here')).toEqual([{ op: 'delete', draft: [1, 6], final: [1, 1] }])
  })

  it('refuses a lone surrogate, and what is no text, and names the side', () => {
    expect(() => diffTexts('fine', 'b\ud800d')).toThrow('final: holds a lone surrogate')
    expect(() => diffTexts('fine', null as never)).toThrow('final: expected text, got null')
    expect(() => diffTexts(undefined as never, '')).toThrow('draft: expected text, got undefined')
  })
})

const wellFormed = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 4 }),
      fc.constantFrom(
        ' ',
        '\n',
        '. ',
        ', ',
        'the ',
        'cat',
        'cats',
        '10.5',
        '😀',
        '👨‍👩‍👧',
        '🇩🇪',
        'é',
        'שלום ',
        'مرحبا',
        '狗',
        "don't",
        '\ud83d',
        '\ude00',
      ),
    ),
    { maxLength: 30 },
  )
  .map(parts => parts.join('').toWellFormed())

/** A text and a text edited from it, so that both much and little is shared. */
const pairs = fc.oneof(
  fc.tuple(wellFormed, wellFormed),
  fc.tuple(wellFormed, wellFormed, fc.nat(), fc.nat()).map(([draft, put, a, b]): [string, string] => {
    const [start, end] = [a % (draft.length + 1), b % (draft.length + 1)].sort((x, y) => x - y) as [number, number]
    return [draft, (draft.slice(0, start) + put + draft.slice(end)).toWellFormed()]
  }),
)

describe('diffTexts, over arbitrary Unicode', () => {
  it('replays to the final text', () => {
    fc.assert(
      fc.property(pairs, ([draft, final]) => {
        const ops = diffTexts(draft, final)
        expect(replay(draft, ops, insertions(ops, final))).toBe(final)
        verifyOps(draft, final, ops)
      }),
      { numRuns: 2000 },
    )
  })

  it('gives ordered operations that do not touch, with equal characters between them', () => {
    fc.assert(
      fc.property(pairs, ([draft, final]) => {
        const ops = diffTexts(draft, final)
        checkOps(ops, draft.length, final.length)
        for (let i = 1; i < ops.length; i++) expect(ops[i]!.draft[0]).toBeGreaterThan(ops[i - 1]!.draft[1])
        for (const span of keptSpans(ops, draft.length))
          expect(draft.slice(span.draft, span.draft + span.length)).toBe(
            final.slice(span.final, span.final + span.length),
          )
      }),
      { numRuns: 2000 },
    )
  })

  it('cuts no surrogate pair', () => {
    fc.assert(
      fc.property(pairs, ([draft, final]) => {
        for (const op of diffTexts(draft, final)) {
          expect(draft.slice(...op.draft).isWellFormed()).toBe(true)
          expect(final.slice(...op.final).isWellFormed()).toBe(true)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('edits no more than all words between the common first and last ones', () => {
    fc.assert(
      fc.property(pairs, ([draft, final]) => {
        const a = words(draft)
        const b = words(final)
        let start = 0
        while (start < Math.min(a.length, b.length) && a[start] === b[start]) start++
        let end = 0
        while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++
        const units = (all: string[]) => all.slice(start, all.length - end).join('').length
        expect(editedCharacters(diffTexts(draft, final))).toBeLessThanOrEqual(units(a) + units(b))
      }),
      { numRuns: 2000 },
    )
  })

  it('leaves no match of only white space or punctuation between two changes', () => {
    fc.assert(
      fc.property(pairs, ([draft, final]) => {
        const ops = diffTexts(draft, final)
        for (let i = 1; i < ops.length; i++)
          expect(draft.slice(ops[i - 1]!.draft[1], ops[i]!.draft[0])).toMatch(/[^\s\p{P}]/u)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('diffTexts on a megabyte', () => {
  const vocabulary = Array.from({ length: 3000 }, (_, i) => `w${i.toString(36)}`)
  const text = (length: number, stride: number) => {
    const parts: string[] = []
    for (let i = 0, size = 0, state = 7; size < length; i++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      const word = vocabulary[(state >>> 8) % vocabulary.length]!
      parts.push(i % stride === stride - 1 ? `${word}ED` : word)
      size += word.length + 1
    }
    return parts.join(' ')
  }
  const rare = 1e9

  it.each([
    ['a few edits', text(1e6, rare), text(1e6, 20_000)],
    ['thousands of edits', text(1e6, rare), text(1e6, 40)],
    ['another text', text(1e6, rare), text(1e6, rare).toUpperCase()],
    ['one word repeated', 'la '.repeat(333_333), `${'la '.repeat(150_000)}lo ${'la '.repeat(180_000)}`],
    ['one character', 'a'.repeat(1e6), `${'a'.repeat(5e5)}b${'a'.repeat(5e5)}`],
    ['a word of a megabyte', 'ab'.repeat(5e5), 'ba'.repeat(4e5)],
    ['white space', ' '.repeat(1e6), '\n'.repeat(1e6)],
  ])('%s', (_, draft, final) => {
    const ops = diffTexts(draft, final)
    expect(replay(draft, ops, insertions(ops, final)) === final).toBe(true)
  })

  it('finds thousands of small edits, not one great rewrite', () => {
    const [draft, final] = [text(1e6, rare), text(1e6, 40)]
    const edits = final.match(/ED/g)!
    const ops = diffTexts(draft, final)
    expect(edits.length).toBeGreaterThan(4000)
    // Each edit appends "ED" to a word; the words themselves and all others stay.
    expect(editedCharacters(ops)).toBe(edits.join('').length)
    expect(ops.length).toBe(edits.length)
  })

  it('grows about linearly: a hundred times as much text takes far from ten thousand times as long', () => {
    const [small, large] = [1e4, 1e6].map(length => [text(length, rare), text(length, 40)] as const)
    for (let i = 0; i < 20; i++) diffTexts(...small!)
    const growth = cpuTime(() => diffTexts(...large!)) / cpuTime(() => diffTexts(...small!))
    expect(growth).toBeLessThan(1000)
  })
})
