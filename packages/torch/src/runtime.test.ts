import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { forEachDevice } from './device.test-suite.js'
import {
  findings,
  getRandomState,
  manualSeed,
  mapFile,
  numThreads,
  setNumThreads,
  setRandomState,
  tensor,
  torch,
  versions,
} from './index.js'

forEachDevice('random state', device => {
  test('repeats from a seed and from a saved state', () => {
    manualSeed(7)
    const first = torch.rand([4], { device }).tolist()
    const state = getRandomState(device)
    const second = torch.rand([4], { device }).tolist()
    setRandomState(state, device)
    expect(torch.rand([4], { device }).tolist()).toEqual(second)
    manualSeed(7)
    expect(torch.rand([4], { device }).tolist()).toEqual(first)
    expect(() => manualSeed(-1)).toThrow('manualSeed: expected a non-negative integer, got -1')
  })
})

test('a mapped file is its bytes; writing to the tensor leaves the file alone', () => {
  const path = join(tmpdir(), `emend-map-${process.pid}`)
  writeFileSync(path, Uint8Array.of(1, 2, 3, 250))
  try {
    const t = mapFile(path)
    expect([t.dtype, t.tolist()]).toEqual(['uint8', [1, 2, 3, 250]])
    t.fill_(9)
    expect(mapFile(path).tolist()).toEqual([1, 2, 3, 250])
    writeFileSync(path, '')
    expect(mapFile(path).shape).toEqual([0])
  } finally {
    rmSync(path)
  }
  expect(() => mapFile(path)).toThrow(`${path}: cannot open: No such file or directory`)
  expect(() => mapFile(tmpdir())).toThrow(`${tmpdir()}: not a regular file`)
})

test('threads are set per thread, within reason', () => {
  const before = numThreads()
  setNumThreads(1)
  expect(numThreads()).toBe(1)
  setNumThreads(before)
  expect(() => setNumThreads(0)).toThrow('setNumThreads: expected a positive integer, got 0')
  expect(() => setNumThreads(5000)).toThrow('at most 1024')
})

test('denormal numbers are flushed to zero', () => {
  expect(tensor([1e-40]).mul(1).item()).toBe(0)
})

test('findings name what runs', () => {
  const found = findings()
  expect(found.built).toBe(true)
  expect(found.missing).toEqual([])
  expect(versions().torch).toMatch(/^2\.\d+\.\d+/)
  expect(found.libtorch!.version).toBe(versions().torch)
})
