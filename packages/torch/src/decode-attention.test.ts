import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DecodeAttention, decodeAttention } from './decode-attention.js'
import { numThreads, setNumThreads } from './runtime.js'
import { noGrad, scope } from './scope.js'
import { type Tensor, tensor } from './tensor.js'
import { torch } from './torch.js'

interface Shape {
  readonly batch: number
  readonly kvHeads: number
  /** that share keys */
  readonly heads: number
  readonly width: number
  readonly columns: number
}

/** Buffers with a past of random numbers, and a token. */
function given({ batch, kvHeads, heads, width, columns }: Shape) {
  const keys = torch.randn([batch, kvHeads, width, columns]).transpose(2, 3)
  const values = torch.randn([batch, kvHeads, columns, width])
  // As one product gives them: rows of neighbours, but not all neighbours.
  const joined = torch.randn([batch, (heads + 2) * kvHeads * width])
  const part = (from: number, size: number) => joined.narrow(1, from * kvHeads * width, size * kvHeads * width)
  return { q: part(0, heads), k: part(heads, 1), v: part(heads + 1, 1), keys, values }
}

const numbers = (x: Tensor) => x.contiguous().view([-1]).tolist() as number[]

/** The same in float64, number by number. */
function written(of: DecodeAttention): number[] {
  const [batch, kvHeads, columns, width] = of.keys.shape as [number, number, number, number]
  const heads = of.q.shape[1]! / kvHeads / width
  const [q, k, v, keys, values] = [of.q, of.k, of.v, of.keys, of.values].map(numbers) as [
    number[],
    number[],
    number[],
    number[],
    number[],
  ]
  const [cos, sin] = of.rotation ? [numbers(of.rotation.cos), numbers(of.rotation.sin)] : [null, null]
  const turned = (x: number[], row: number) =>
    x.map((n, i) => (cos && sin ? n * cos[row * width + i]! + x[(i + width / 2) % width]! * sin[row * width + i]! : n))
  const out: number[] = []
  for (let row = 0; row < batch; row++) {
    for (let h = 0; h < kvHeads * heads; h++) {
      const group = Math.floor(h / heads)
      const part = (x: number[], at: number) => x.slice(at * width, (at + 1) * width)
      const query = turned(part(q, row * kvHeads * heads + h), row)
      const at = row * kvHeads + group
      const first = Math.max(of.starts[row]!, of.end + 1 - (of.window ?? Infinity))
      const reads = Array.from({ length: of.end + 1 - first }, (_, i) => first + i)
      const key = (c: number) => (c === of.end ? turned(part(k, at), row) : part(keys, at * columns + c))
      const value = (c: number) => (c === of.end ? part(v, at) : part(values, at * columns + c))
      const scores = reads.map(c => {
        const score = key(c).reduce((sum, n, i) => sum + n * query[i]!, 0) * (of.scale ?? width ** -0.5)
        return of.softCap ? of.softCap * Math.tanh(score / of.softCap) : score
      })
      const weights = scores.map(score => Math.exp(score - Math.max(...scores)))
      const total = weights.reduce((a, b) => a + b)
      for (let i = 0; i < width; i++) {
        out.push(reads.reduce((sum, c, j) => sum + (weights[j]! / total) * value(c)[i]!, 0))
      }
    }
  }
  return out
}

const within = <T>(fn: () => T) => noGrad(() => scope(fn))

function expectClose(got: Tensor, wanted: readonly number[]): void {
  const far = (got.view([-1]).tolist() as number[]).map((x, i) => Math.abs(x - wanted[i]!))
  expect(far).toHaveLength(wanted.length)
  expect(Math.max(...far)).toBeLessThan(2e-5)
}

describe('attention of one new token a row', () => {
  it('is a mean of the values by hand', () =>
    within(() => {
      const keys = torch.zeros([1, 1, 1, 32]).transpose(2, 3)
      const values = torch.zeros([1, 1, 32, 1])
      const one = (x: number) => tensor([[x]])
      const step = (end: number, q: number, k: number, v: number) =>
        decodeAttention({ q: one(q), k: one(k), v: one(v), rotation: null, keys, values, starts: [0], end }).item()
      expect(step(0, 5, 3, 7)).toBe(7)
      // Keys 3 and 3: equal shares.
      expect(step(1, 5, 3, 9)).toBeCloseTo(8, 6)
      // Scores 3 ln 2, 3 ln 2 and 4 ln 2: a quarter, a quarter, a half.
      expect(step(2, Math.LN2, 4, 100)).toBeCloseTo(54, 4)
    }))

  it('is what the formula says, for any number of heads, widths, starts, windows', () => {
    const shapes = fc.record({
      batch: fc.integer({ min: 1, max: 4 }),
      kvHeads: fc.integer({ min: 1, max: 3 }),
      heads: fc.integer({ min: 1, max: 9 }),
      width: fc.constantFrom(2, 6, 16, 22, 32, 48, 64, 80),
      columns: fc.constantFrom(32, 64, 160),
    })
    const cases = shapes.chain(shape =>
      fc.record({
        shape: fc.constant(shape),
        end: fc.integer({ min: 0, max: shape.columns - 1 }),
        begins: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
          minLength: shape.batch,
          maxLength: shape.batch,
        }),
        window: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
        rotated: fc.boolean(),
        scale: fc.option(fc.double({ min: 0.01, max: 1, noNaN: true })),
        softCap: fc.option(fc.double({ min: 0.5, max: 5, noNaN: true })),
      }),
    )
    fc.assert(
      fc.property(cases, ({ shape, end, begins, window, rotated, scale, softCap }) =>
        within(() => {
          const angle = torch.randn([shape.batch, shape.width])
          const of: DecodeAttention = {
            ...given(shape),
            rotation: rotated ? { cos: angle.cos(), sin: angle.sin() } : null,
            starts: begins.map(share => Math.floor(share * end)),
            end,
            ...(window !== undefined && { window }),
            scale,
            softCap,
          }
          const wanted = written(of)
          expectClose(decodeAttention(of), wanted)
        }),
      ),
      { numRuns: 150 },
    )
  })

  it('writes the rotated key and the value in their column and nothing else', () =>
    within(() => {
      const of = { ...given({ batch: 2, kvHeads: 1, heads: 2, width: 4, columns: 32 }), starts: [0, 3], end: 5 }
      const [keys, values] = [of.keys.clone(), of.values.clone()]
      const [cos, sin] = [tensor([0, 0, 0, 0, 1, 1, 1, 1]), tensor([-1, -1, 1, 1, 0, 0, 0, 0])]
      decodeAttention({ ...of, rotation: { cos, sin } })
      // Row 0 turns by a right angle, row 1 not at all.
      const k = of.k.tolist() as number[][]
      const [a, b, c, d] = k[0] as [number, number, number, number]
      expect(of.keys.select(2, 5).view([2, 4]).tolist()).toEqual([[-c, -d, a, b], k[1]])
      expect(of.values.select(2, 5).view([2, 4]).tolist()).toEqual(of.v.tolist())
      keys.select(2, 5).copy_(of.keys.select(2, 5))
      values.select(2, 5).copy_(of.values.select(2, 5))
      expect(of.keys.equal(keys)).toBe(true)
      expect(of.values.equal(values)).toBe(true)
    }))

  it('reads nothing left of a start and right of the end, not even NaN', () =>
    within(() => {
      const of = { ...given({ batch: 1, kvHeads: 1, heads: 1, width: 16, columns: 64 }), rotation: null, end: 40 }
      for (const buffer of [of.keys, of.values]) {
        buffer.narrow(2, 0, 37).fill_(NaN)
        buffer.narrow(2, 41, 23).fill_(NaN)
      }
      expectClose(decodeAttention({ ...of, starts: [37] }), written({ ...of, starts: [37] }))
      expect(numbers(decodeAttention({ ...of, starts: [36] }))).toEqual(new Array(16).fill(NaN))
    }))

  it('is the same in one thread and in several', () => {
    const before = numThreads()
    try {
      within(() => {
        const of = { ...given({ batch: 33, kvHeads: 3, heads: 3, width: 64, columns: 512 }), rotation: null, end: 500 }
        const starts = Array.from({ length: 33 }, (_, i) => 15 * i)
        setNumThreads(1)
        const alone = decodeAttention({ ...of, starts })
        setNumThreads(4)
        expect(decodeAttention({ ...of, starts }).equal(alone)).toBe(true)
      })
    } finally {
      setNumThreads(before)
    }
  })

  it('refuses what does not fit, by name', () =>
    within(() => {
      const shape = { batch: 2, kvHeads: 2, heads: 2, width: 4, columns: 32 }
      const fits = { ...given(shape), rotation: null, starts: [0, 0], end: 3 }
      const refused = (change: Partial<DecodeAttention>) => {
        try {
          decodeAttention({ ...fits, ...change })
        } catch (error) {
          return (error as Error).message.split('\n')[0]
        }
        return 'taken'
      }
      expect(refused({})).toBe('taken')
      const cos = torch.ones([2, 4])
      for (const [change, said] of [
        [{ q: fits.q.to('float64') }, /q: expected float32 \[2, 16\] on the CPU, got Double/],
        [{ q: torch.ones([2, 12]) }, /q: got \[2, 12\], expected the width of a multiple of the 2 heads/],
        [
          { keys: torch.zeros([0, 1, 1, 1]).expand([0, 2 ** 32, 32, 2 ** 32]) },
          /q: got \[2, 16\], expected the width of a multiple of the 4294967296 heads/,
        ],
        [{ k: torch.ones([1, 8]) }, /k: expected float32 \[2, 8\]/],
        [{ v: torch.ones([2, 8, 1]) }, /v: expected float32 \[2, 8\]/],
        [{ keys: torch.ones([2, 2, 32, 4]) }, /transpose of keys: expected contiguous/],
        [{ keys: torch.ones([2, 2, 4, 30]).transpose(2, 3) }, /keys: got 30 columns, expected a multiple of 32/],
        [{ values: torch.ones([1, 2, 32, 4]) }, /values: expected contiguous float32 \[2, 2, 32, 4\], or more rows/],
        [{ starts: [0] }, /starts: got 1, expected 2/],
        [{ starts: [0, 4] }, /starts: got 4, expected 0 to 3/],
        [{ starts: [-1, 0] }, /starts: got -1/],
        [{ end: 32 }, /end: got 32, expected a column of 32/],
        [{ end: -1 }, /end: got -1/],
        [{ window: 0 }, /window: got 0, expected 1 or more/],
        [{ rotation: { cos, sin: torch.ones([3]) } }, /sin: expected 8 float32 numbers/],
      ] as const) {
        expect(refused(change)).toMatch(said)
      }
    }))

  it('has no gradient, and says so', () =>
    scope(() => {
      const of = given({ batch: 1, kvHeads: 1, heads: 1, width: 2, columns: 32 })
      const q = torch.ones([1, 2]).requires_grad_()
      const call = () => decodeAttention({ ...of, q, rotation: null, starts: [0], end: 0 })
      expect(call).toThrow('has no gradient')
    }))
})
