import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import {
  enableGrad,
  inferenceMode,
  keep,
  memory,
  noGrad,
  scope,
  setMemoryLimit,
  type Tensor,
  tensor,
  torch,
} from './index.js'

test('what is freed by hand leaves nothing behind, though the event loop never turns', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const heap = () => {
    collect()
    return process.memoryUsage().heapUsed
  }
  const work = () => {
    for (let i = 0; i < 20_000; i++) tensor([i]).dispose()
  }
  work()
  const before = heap()
  for (let i = 0; i < 5; i++) work()
  // A hundred thousand entries of a registry would take several megabytes.
  expect(heap() - before).toBeLessThan(1e6)
})

test('scope frees what was made inside and not returned', () => {
  const before = memory()
  const { sum, list } = scope(() => {
    const a = tensor([1, 2])
    const b = a.add(1)
    b.mul(2)
    return { sum: b.sum(), list: new Map([['a', [a]]]) }
  })
  expect(memory().tensors - before.tensors).toBe(2)
  expect(sum.item()).toBe(5)
  expect(list.get('a')![0]!.tolist()).toEqual([1, 2])
  sum.dispose()
  list.get('a')![0]!.dispose()
  expect(memory().tensors).toBe(before.tensors)
  expect(memory().bytes).toBe(before.bytes)
})

test('a tensor that leaves the inner scope belongs to the outer one', () => {
  const before = memory().tensors
  let inner: Tensor | null = null
  scope(() => {
    inner = scope(() => tensor([1]).add(1))
    expect(inner.item()).toBe(2)
  })
  expect(inner!.disposed).toBe(true)
  expect(memory().tensors).toBe(before)
})

test('keep survives every scope; an error frees everything else', () => {
  const before = memory().tensors
  let kept: Tensor | null = null
  expect(() =>
    scope(() =>
      scope(() => {
        kept = keep(tensor([3]))
        tensor([4])
        throw new Error('on the way')
      }),
    ),
  ).toThrow('on the way')
  expect(memory().tensors).toBe(before + 1)
  expect(kept!.item()).toBe(3)
  kept!.dispose()
})

test('a promise coming out throws, and its tensors are freed', () => {
  const before = memory().tensors
  expect(() => scope(async () => tensor([1]))).toThrow('scope: the function gave a promise; it must be synchronous')
  expect(() => noGrad(() => Promise.resolve(1))).toThrow('noGrad: the function gave a promise')
  expect(memory().tensors).toBe(before)
})

test('using frees at the end of the block', () => {
  const before = memory().tensors
  {
    using x = tensor([1])
    expect(x.item()).toBe(1)
  }
  expect(memory().tensors).toBe(before)
})

test('gradient modes nest and come back after an error', () => {
  const x = tensor([2], { requiresGrad: true })
  expect(noGrad(() => x.mul(2)).requiresGrad).toBe(false)
  expect(noGrad(() => enableGrad(() => x.mul(2))).requiresGrad).toBe(true)
  expect(() =>
    noGrad(() => {
      throw new Error('x')
    }),
  ).toThrow('x')
  expect(x.mul(2).requiresGrad).toBe(true)
  const inferred = inferenceMode(() => x.mul(2))
  expect(inferred.requiresGrad).toBe(false)
  expect(() => x.mul(inferred)).toThrow('Inference tensors cannot be saved for backward')
})

test('bytes are counted, and come back', () => {
  const before = memory().bytes
  const x = torch.zeros([1 << 20])
  expect(memory().bytes - before).toBeGreaterThanOrEqual(4 << 20)
  expect(memory().bytes - before).toBeLessThan((4 << 20) + 8192)
  x.dispose()
  expect(memory().bytes).toBe(before)
})

test('an allocation that the machine does not have is refused with the cure', () => {
  const { limit } = memory()
  expect(limit).toBeGreaterThan(1e8)
  expect(() => torch.empty([Math.ceil(limit / 4) + 1])).toThrow(
    /torch.empty: out of memory: .* GB asked, .* limit .* GB; free tensors with scope\(\) or dispose\(\)/,
  )
  expect(() => torch.empty([2 ** 45])).toThrow('out of memory')
  setMemoryLimit(memory().bytes + (8 << 20))
  try {
    const held = torch.empty([1 << 20])
    expect(() => torch.empty([1 << 20, 2])).toThrow('out of memory: 0.00839 GB asked')
    held.dispose()
    torch.empty([1 << 20]).dispose()
  } finally {
    setMemoryLimit(null)
  }
  torch.empty([1 << 20, 2]).dispose()
})

test('a thousand rounds in a scope leave no tensor and no byte', () => {
  const before = memory()
  const w = tensor(
    [
      [0.1, 0.2],
      [0.3, 0.4],
    ],
    { requiresGrad: true },
  )
  for (let i = 0; i < 1000; i++) {
    scope(() => {
      torch
        .linear(torch.ones([4, 2]), w)
        .pow(2)
        .mean()
        .backward()
      w.grad = null
    })
  }
  w.dispose()
  expect(memory().tensors).toBe(before.tensors)
  expect(memory().bytes).toBe(before.bytes)
})
