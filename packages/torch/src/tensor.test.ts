import { expect, test } from 'vitest'
import { forEachDevice } from './device.test-suite.js'
import { type DType, Tensor, tensor, torch } from './index.js'

forEachDevice('tensors', device => {
  test('keep values, shape and dtype on the way in and out', () => {
    const cases: [ArrayBufferView, DType, number[]][] = [
      [new Float32Array([1.5, -2]), 'float32', [1.5, -2]],
      [new Float64Array([0.1, 1e300]), 'float64', [0.1, 1e300]],
      [new Int32Array([2147483647, -2147483648]), 'int32', [2147483647, -2147483648]],
      [new BigInt64Array([9007199254740991n, -3n]), 'int64', [9007199254740991, -3]],
      [new Uint8Array([0, 255]), 'uint8', [0, 255]],
      [new Int16Array([-7, 7]), 'int16', [-7, 7]],
      [new Int8Array([-8, 8]), 'int8', [-8, 8]],
    ]
    for (const [array, dtype, values] of cases) {
      const t = tensor(array, { device })
      expect([t.dtype, t.shape, t.device]).toEqual([dtype, [2], device])
      expect(t.tolist()).toEqual(values)
      expect(t.data()).toEqual(array)
    }
  })

  test('convert between dtypes', () => {
    const t = tensor(new Int32Array([5, 70000]), { dtype: 'int64', device })
    expect(t.dtype).toBe('int64')
    expect(t.data()).toEqual(new BigInt64Array([5n, 70000n]))
    expect(t.ints()).toEqual(new Int32Array([5, 70000]))
    // bfloat16 keeps 8 bits of 1 + 2^-7 + 2^-9 (ties and below round to even): 1.0078125
    expect(tensor([1.009765625], { dtype: 'bfloat16', device }).data()).toEqual(new Float32Array([1.0078125]))
    expect(tensor([65504, 1e-8], { dtype: 'float16', device }).tolist()).toEqual([65504, 0])
    expect(tensor([true, false], { device }).data()).toEqual(new Uint8Array([1, 0]))
    expect(tensor([0.5, 2.9], { device }).to('int32').tolist()).toEqual([0, 2])
  })

  test('in-place operators give back the same object', () => {
    const x = tensor([[1, 2, 3]], { device })
    expect(x.add_(1)).toBe(x)
    expect(x.tolist()).toEqual([[2, 3, 4]])
    expect(x.shape).toEqual([1, 3])
    expect(x.squeeze_()).toBe(x)
    expect(x.shape).toEqual([3])
  })

  test('views share memory', () => {
    const x = tensor([1, 2, 3, 4], { device })
    x.view([2, 2]).select(0, 1).fill_(9)
    expect(x.tolist()).toEqual([1, 2, 9, 9])
    expect(x.view([2, 2]).t().data()).toEqual(new Float32Array([1, 9, 2, 9]))
  })
})

test('nested data is read row by row; ragged data is refused', () => {
  expect(
    tensor([
      [[1], [2]],
      [[3], [4]],
    ]).shape,
  ).toEqual([2, 2, 1])
  expect(tensor([]).shape).toEqual([0])
  expect(tensor(3).shape).toEqual([])
  expect(() => tensor([[1, 2], [3]])).toThrow('tensor: ragged data: expected 2 elements in dimension 1, got 1 elements')
  expect(() => tensor([1, 'x'] as never)).toThrow('tensor: element 1 must be a number, got string')
  expect(() => tensor([1, 5n] as never)).toThrow('tensor: element 1 must be a number, got a bigint (use BigInt64Array)')
})

test('integers are never made of fractions, shapes never of nonsense', () => {
  expect(() => tensor([1, 2.7], { dtype: 'int64' })).toThrow('tensor: element 1 is 2.7; int64 holds integers')
  expect(() => tensor([Number.NaN], { dtype: 'int32' })).toThrow('tensor: element 0 is NaN; int32 holds integers')
  expect(() => tensor([255, 256], { dtype: 'uint8' })).toThrow(
    'tensor: element 1 is 256; uint8 holds integers from 0 to 255',
  )
  expect(() => tensor([-(2 ** 31) - 1], { dtype: 'int32' })).toThrow(
    'int32 holds integers from -2147483648 to 2147483647',
  )
  expect(tensor([-128, 127], { dtype: 'int8' }).tolist()).toEqual([-128, 127])
  expect(() => tensor([1, 2, 3], { shape: [2, 2] })).toThrow('the shape needs 4 elements, the array has 3')
  expect(() => tensor([1], { shape: [-1] })).toThrow('tensor: shape[0] must be a size, got -1')
  expect(() => tensor([1], { shape: [2 ** 40, 2 ** 40] })).toThrow('the shape is too large')
  expect(() => tensor([1], { dtype: 'float33' as never })).toThrow('tensor: no dtype "float33"')
  expect(() => tensor([1], { dtyp: 'int64' } as never)).toThrow(
    'tensor: no option "dtyp"; there is shape, dtype, device, requiresGrad',
  )
  expect(() => tensor([1], { device: 'cuda:99' })).toThrow('tensor: no device "cuda:99" here')
})

test('item() gives exact numbers or says why not', () => {
  expect(tensor(2.5).item()).toBe(2.5)
  expect(tensor([[7]], { dtype: 'int64' }).item()).toBe(7)
  expect(tensor(true).item()).toBe(1)
  expect(() => tensor([1, 2]).item()).toThrow('item(): a tensor of 2 elements has no single value')
  expect(() => tensor(new BigInt64Array([2n ** 60n])).item()).toThrow("beyond JavaScript's safe integers")
  expect(() => tensor(new BigInt64Array([-(2n ** 63n)])).item()).toThrow("beyond JavaScript's safe integers")
  expect(() => tensor(new BigInt64Array([2n ** 33n])).ints()).toThrow('ints: element 0 is 8589934592, beyond 32 bits')
  expect(() => tensor([1]).ints()).toThrow('ints: the tensor is float32; expected an integer or bool tensor')
})

test('a freed tensor is an exact error, in lists too; freeing twice is harmless', () => {
  const x = tensor([1])
  const y = tensor([2])
  y.dispose()
  y.dispose()
  expect(y.disposed).toBe(true)
  expect(() => y.shape).toThrow('tensor used after it was freed (shape, dtype or device)')
  expect(() => torch.add(x, y)).toThrow("tensor used after it was freed (torch.add, argument 'other')")
  expect(() => y.add(x)).toThrow("tensor used after it was freed (torch.add, argument 'self')")
  expect(() => torch.cat([x, x, y])).toThrow("tensor used after it was freed (torch.cat, argument 'tensors[2]')")
  expect(() => y.item()).toThrow('tensor used after it was freed (item)')
  expect(String(y)).toBe('Tensor(freed)')
})

test('handles that were never ours are errors, whatever they hold', () => {
  for (const handle of [1, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 52, 1.5, 2 ** 26 + 2 ** 25]) {
    expect(() => new Tensor(handle).sum()).toThrow('freed')
  }
})

test('a slot that is used again does not answer to the old handle', () => {
  const first = tensor([1])
  const old = first.handle
  first.dispose()
  const second = tensor([2])
  expect(second.item()).toBe(2)
  expect(() => new Tensor(old).sum()).toThrow('freed')
})

test('prints what it is', () => {
  expect(String(tensor([[1, 2]]))).toBe('Tensor([1, 2], float32) [[1,2]]')
})

test('an array that holds itself is refused', () => {
  const data: unknown[] = []
  data.push(data)
  expect(() => tensor(data as never)).toThrow('tensor: data nested deeper than 64 arrays')
})
