import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LabelLines } from './label-lines.js'
import type { TokenizedSide } from './labelled.js'

type Token = readonly [id: number, start: number, end: number, changed: boolean]

/** Of a tokenized text only what a line says. */
const side = (tokens: readonly Token[]): TokenizedSide => ({
  text: '',
  ids: Int32Array.from(tokens, ([id]) => id),
  tile: new Int32Array(tokens.length + 1),
  cover: tokens.map(([, start, end]) => [start, end] as const),
  changed: Uint8Array.from(tokens, token => Number(token[3])),
  tokenizer: '',
})

it('a line by hand', () => {
  const lines = new LabelLines()
  const edits = [{ op: 'delete', draft: [0, 2], final: [0, 0] }] as const
  lines.add({ edits, editRatio: 0.5, draft: side([[50256, 0, 10, true]]), final: side([]) })
  expect(lines.take().toString()).toBe(
    '{"edits":[{"op":"delete","draft":[0,2],"final":[0,0]}],"edit_ratio":0.5,' +
      '"draft":{"tokens":[{"id":50256,"start":0,"end":10,"changed":true}]},"final":{"tokens":[]}}\n',
  )
  expect(lines.length).toBe(0)
})

it('any tokens, however many: as JSON.stringify has it, and what was taken stays as it was', () => {
  const whole = fc.oneof(fc.nat(120), fc.nat(0x7fffffff), fc.constantFrom(0, 9, 10, 99, 100, 2147483647))
  const tokens = fc.array(fc.tuple(whole, whole, whole, fc.boolean()), { maxLength: 3000 })
  fc.assert(
    fc.property(fc.array(fc.tuple(tokens, tokens, fc.double({ min: 0, max: 1 })), { maxLength: 4 }), pairs => {
      const lines = new LabelLines()
      const taken: Buffer[] = []
      for (const [k, [draft, final, editRatio]] of pairs.entries()) {
        lines.add({ edits: [], editRatio, draft: side(draft), final: side(final) })
        if (k % 2) taken.push(lines.take())
      }
      taken.push(lines.take())
      const json = (of: readonly Token[]) => ({
        tokens: of.map(([id, start, end, changed]) => ({ id, start, end, changed })),
      })
      const expected = pairs.map(
        ([draft, final, ratio]) =>
          `${JSON.stringify({ edits: [], edit_ratio: ratio, draft: json(draft), final: json(final) })}\n`,
      )
      expect(Buffer.concat(taken).toString()).toBe(expected.join(''))
    }),
    { numRuns: 30 },
  )
})
