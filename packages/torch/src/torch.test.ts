import { expect, test } from 'vitest'
import { forEachDevice } from './device.test-suite.js'
import { type Device, type Tensor, tensor, torch } from './index.js'
import { table } from './ops.generated.js'
import { unsafeOperators } from './unsafe-operators.js'

const close = (t: Tensor, values: readonly number[], digits = 6) => {
  const got = t.floats()
  expect(got.length).toBe(values.length)
  values.forEach((value, i) => {
    expect(got[i]).toBeCloseTo(value, digits)
  })
}

forEachDevice('operators', device => {
  const t = (data: Parameters<typeof tensor>[0]) => tensor(data, { device })

  test('give what a person works out', () => {
    close(t([1, 2]).add(t([10, 20]), { alpha: 0.5 }), [6, 12])
    close(
      torch.linear(
        t([[1, 2]]),
        t([
          [3, 4],
          [5, 6],
        ]),
        t([0.5, -0.5]),
      ),
      [11.5, 16.5],
    )
    close(
      torch.matmul(
        t([
          [1, 2],
          [3, 4],
        ]),
        t([
          [0, 1],
          [1, 0],
        ]),
      ),
      [2, 1, 4, 3],
    )
    close(t([0, Math.log(3)]).softmax(0), [0.25, 0.75])
    close(t([0, Math.log(3)]).log_softmax(0), [Math.log(0.25), Math.log(0.75)])
    close(torch.where(t([true, false]), t([1, 2]), t([3, 4])), [1, 4])
    close(
      torch.embedding(
        t([
          [1, 2],
          [3, 4],
        ]),
        tensor([1, 1, 0], { dtype: 'int64', device }),
      ),
      [3, 4, 3, 4, 1, 2],
    )
    close(
      t([
        [1, 5],
        [7, 3],
      ]).sum([1], true),
      [6, 10],
    )
    close(
      t([
        [1, 2],
        [3, 4],
      ]).gather(1, tensor([[1], [0]], { dtype: 'int64', device })),
      [2, 3],
    )
    close(t([1, 2, 3, 4]).var({ correction: 0 }), [1.25])
    close(torch.cat([t([[1]]), t([[2]])], 1), [1, 2])
    close(
      t([1, 2, 3])
        .masked_fill(t([false, true, false]), Number.NEGATIVE_INFINITY)
        .softmax(0),
      [1 / (1 + Math.E ** 2), 0, 1 / (1 + Math.E ** -2)],
    )
    // One query on two keys of equal score: the mean of the values.
    const q = torch.zeros([1, 1, 1, 2], { device })
    close(
      torch.scaled_dot_product_attention(
        q,
        torch.zeros([1, 1, 2, 2], { device }),
        t([
          [
            [
              [1, 2],
              [3, 6],
            ],
          ],
        ]),
      ),
      [2, 4],
    )
    close(torch.cross_entropy_loss(t([[0, 0]]), tensor([1], { dtype: 'int64', device })), [Math.log(2)])
    close(torch.silu(t([1])), [1 / (1 + Math.exp(-1))])
  })

  test('name several results as the schema does, and give lists for the rest', () => {
    const { values, indices } = t([
      [1, 5],
      [7, 3],
    ]).max(1)
    expect([values.tolist(), indices.tolist()]).toEqual([
      [5, 7],
      [1, 0],
    ])
    expect(
      t([1, 2, 3])
        .split(2)
        .map(part => part.tolist()),
    ).toEqual([[1, 2], [3]])
    const [std, mean] = torch.std_mean(t([1, 2, 3]))
    expect([std.item(), mean.item()]).toEqual([1, 2])
    expect(torch.result_type(t([1]), tensor([1], { dtype: 'float64', device }))).toBe('float64')
    expect(torch.equal(t([1]), t([1]))).toBe(true)
    expect(torch.size(t([[1, 2]]), 1)).toBe(2)
  })

  test('choose the overload by the kinds of arguments', () => {
    expect(t([2, 3]).pow(2).tolist()).toEqual([4, 9])
    expect(torch.pow(2, t([2, 3])).tolist()).toEqual([4, 8])
    expect(
      t([2, 3])
        .pow(t([3, 2]))
        .tolist(),
    ).toEqual([8, 9])
    expect(torch.arange(3, { device }).tolist()).toEqual([0, 1, 2])
    expect(torch.arange(1, 3, { device }).tolist()).toEqual([1, 2])
    expect(torch.arange(1, 2, 0.5, { device }).tolist()).toEqual([1, 1.5])
    expect(t([3, 1]).max().item()).toBe(3)
    expect(
      t([3, 1])
        .max(t([2, 2]))
        .tolist(),
    ).toEqual([3, 2])
    expect(torch.div(t([7]), t([2]), { rounding_mode: 'floor' }).item()).toBe(3)
    expect(t([[1, 2]]).mean({ dim: [1], keepdim: true }).shape).toEqual([1, 1])
    expect(
      t([1])
        .where(t([false]), t([5]))
        .tolist(),
    ).toEqual([5])
  })

  test('keep whole numbers whole', () => {
    const ints = tensor([1, 2], { dtype: 'int64', device })
    expect(ints.add(1).dtype).toBe('int64')
    expect(ints.add(1n as never).dtype).toBe('int64')
    expect(ints.add(1.5).dtype).toBe('float32')
    expect(ints.mul(true).dtype).toBe('int64')
    expect(torch.full([1], 1, { device }).dtype).toBe('int64')
    expect(torch.full([1], 2 ** 60, { device }).dtype).toBe('float32')
    expect(torch.zeros([1], { dtype: 'bfloat16', device }).dtype).toBe('bfloat16')
    expect(torch.zeros([1], { device }).dtype).toBe('float32')
  })
})

/** What a wrong call says; the cast is what a JavaScript caller does. */
const said = (call: (torch: never) => unknown): string => {
  try {
    call(torch as never)
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing was thrown'
}
// biome-ignore lint/suspicious/noExplicitAny: wrong calls are the subject
const wrong = torch as any
const x = tensor([
  [1, 2],
  [3, 4],
])
// biome-ignore lint/suspicious/noExplicitAny: as above
const w = x as any

test('wrong arguments: operator, argument, expected, got', () => {
  expect(said(() => wrong.add(x, 'x'))).toBe(
    `torch.add: argument 'other' (2nd) must be Tensor | number, got string "x"`,
  )
  expect(said(() => w.add('x'))).toBe(`torch.add: argument 'other' (1st) must be Tensor | number, got string "x"`)
  expect(said(() => wrong.add(x))).toBe(`torch.add: argument 'other' (2nd) must be Tensor | number, got nothing`)
  expect(said(() => wrong.zeros([2.7]))).toBe(
    `torch.zeros: argument 'size' (1st) must be integer[], got an array with number 2.7 at 0`,
  )
  expect(said(() => wrong.zeros([Number.NaN]))).toContain('got an array with number NaN at 0')
  expect(said(() => w.softmax(Number.POSITIVE_INFINITY))).toBe(
    `torch.softmax: argument 'dim' (1st) must be integer, got number Infinity`,
  )
  expect(said(() => w.softmax(2n ** 60n))).toBe(
    `torch.softmax: argument 'dim' (1st) must be integer, got bigint 1152921504606846976n`,
  )
  expect(said(() => w.softmax(null))).toBe(`torch.softmax: argument 'dim' (1st) must be integer, got null`)
  expect(said(() => w.sum({ keepdims: true }))).toBe(`torch.sum: no argument 'keepdims'; did you mean 'keepdim'?`)
  expect(said(() => w.softmax(1, { dim: 1 }))).toBe(`torch.softmax: argument 'dim' is given twice`)
  expect(said(() => wrong.zeros([2], { dtype: 'flot' }))).toContain(
    `torch.zeros: argument 'dtype' (option) must be dtype`,
  )
  expect(said(() => wrong.zeros([2], { device: 'cuda:77' }))).toContain('got string "cuda:77"')
  expect(said(() => wrong.cat(x))).toBe(
    `torch.cat: argument 'tensors' (1st) must be Tensor[], got Tensor [2, 2] float32`,
  )
  expect(said(() => wrong.relu(x, 1, 2))).toBe('torch.relu: at most 1 arguments and options, got 3')
  expect(said(() => wrong.relu({}))).toBe(`torch.relu: argument 'self' (1st) must be Tensor, got nothing`)
  expect(said(() => Reflect.apply(x.relu, {}, []))).toBe('torch.relu: called on something that is not a Tensor')
})

test('what libtorch itself refuses is one line that names the operator', () => {
  expect(said(() => x.view([3]))).toBe("torch.view: shape '[3]' is invalid for input of size 4")
  expect(said(() => x.add(tensor([1, 2, 3])))).toContain(
    'torch.add: The size of tensor a (2) must match the size of tensor b (3)',
  )
  expect(said(() => torch.embedding(x, tensor([9], { dtype: 'int64' })))).toContain(
    'torch.embedding: index out of range',
  )
  expect(said(() => x.view([3]))).not.toContain('\n')
})

test('the operators that crash are not there; unsafe.call reaches what is not typed', () => {
  const names = new Map(table.split('\n').map(line => [line.split(' ')[0], line]))
  for (const name of Object.keys(unsafeOperators)) {
    const [base = '', overload] = name.split('.')
    const line = names.get(base)
    if (overload === undefined) expect(line, name).toBeUndefined()
    else expect(line?.split(/[ ,]/) ?? [], name).not.toContain(overload)
  }
  const a = tensor([1, 2])
  torch.unsafe.call('aten::_foreach_add_', 'Scalar', [a], 1)
  expect(a.tolist()).toEqual([2, 3])
  expect(said(() => torch.unsafe.call('aten::no_such', '', a))).toContain('has no such operator')
})

test('the table and the types agree with the libtorch at hand', () => {
  // Every name of the table can be resolved: an operator that fails on missing arguments exists.
  const functions = table.split('\n').filter(line => line.split(' ')[1] !== '-')
  const missing = functions
    .map(line => line.split(' ')[0]!)
    .filter(name => said(() => wrong[name](Symbol('wrong'))).includes('has no such operator'))
  expect(missing).toEqual([])
  const device: Device = 'cpu'
  expect(torch.zeros([1], { device }).device).toBe('cpu')
})
