import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import {
  devices,
  memory,
  readSafetensors,
  readSafetensorsHeader,
  type Tensor,
  tensor,
  torch,
  writeSafetensors,
} from './index.js'

const folder = mkdtempSync(join(tmpdir(), 'safetensors-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

// Written by the reference library: goldens/reference.py.
const reference = fileURLToPath(new URL('../goldens/reference.safetensors', import.meta.url))
const golden = JSON.parse(readFileSync(new URL('../goldens/reference.json', import.meta.url), 'utf8')) as Record<
  string,
  { dtype: string; shape: number[]; values: (number | boolean)[] }
>

/** A file of a header, as text or as an object, and bytes of data; `length` may lie. */
function file(header: unknown, data = 0, length?: number): string {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const head = Buffer.alloc(8)
  head.writeBigUInt64LE(BigInt(length ?? text.length))
  const path = join(folder, 'lying.safetensors')
  writeFileSync(path, Buffer.concat([head, text, Buffer.alloc(data)]))
  return path
}

function stump(): string {
  const path = join(folder, 'stump.safetensors')
  writeFileSync(path, 'abc')
  return path
}

const entry = (dtype: unknown, shape: unknown, offsets: unknown) => ({ dtype, shape, data_offsets: offsets })

describe('safetensors', () => {
  it('reads what the reference library wrote: every dtype, a scalar, an empty tensor, metadata', () => {
    const { tensors, metadata } = readSafetensors(reference)
    expect(metadata).toEqual({ format: 'pt', note: 'made by reference.py' })
    expect([...tensors.keys()].sort()).toEqual(Object.keys(golden).sort())
    for (const [name, { dtype, shape, values }] of Object.entries(golden)) {
      const got = tensors.get(name)!
      expect([name, got.dtype, got.shape]).toEqual([name, dtype, shape])
      expect([...got.data()].map(Number)).toEqual(values.map(Number))
    }
  })

  it('gives back what it wrote, laid out as the reference library does: the widest first, aligned, without gaps', () => {
    const { tensors, metadata } = readSafetensors(reference)
    const path = join(folder, 'ours.safetensors')
    writeSafetensors(path, tensors, metadata)
    const ours = readSafetensors(path)
    expect(ours.metadata).toEqual(metadata)
    for (const [name, t] of tensors) {
      expect([name, ours.tensors.get(name)!.dtype, ours.tensors.get(name)!.shape]).toEqual([name, t.dtype, t.shape])
      expect(ours.tensors.get(name)!.data()).toEqual(t.data())
    }
    const bytes = readFileSync(path)
    expect(Number(bytes.readBigUInt64LE()) % 8).toBe(0)
    expect(bytes.length).toBe(readFileSync(reference).length)
    for (const { begin, dtype } of readSafetensorsHeader(path).entries) {
      const bits = Number(/\d+$/.exec(dtype)?.[0] ?? 8)
      expect(begin % (bits / 8)).toBe(0)
    }
  })

  it('writes goldens/written.safetensors, which the reference library was seen to read', () => {
    // goldens/written.py checks the committed file, which this test once wrote; the same bytes must come out still.
    const path = join(folder, 'written.safetensors')
    writeSafetensors(path, written(), { made: 'by us', 'ключ "1"': 'значение' })
    const committed = new URL('../goldens/written.safetensors', import.meta.url)
    expect(readFileSync(path).equals(readFileSync(committed))).toBe(true)
  })

  it.each(devices())('writes from %s and reads to it', device => {
    const path = join(folder, 'device.safetensors')
    const odd = torch.arange(6, { dtype: 'float32', device }).view([2, 3]).t()
    writeSafetensors(path, new Map([['odd', odd]]))
    const { tensors } = readSafetensors(path, { device })
    expect(tensors.get('odd')!.device).toBe(device)
    expect(tensors.get('odd')!.tolist()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ])
  })

  it('copies what is not aligned, and a write to a tensor stays out of the file', () => {
    const header = { a: entry('U8', [1], [0, 1]), b: entry('F32', [2], [1, 9]) }
    const path = file(header, 9)
    const { tensors } = readSafetensors(path)
    expect(tensors.get('b')!.tolist()).toEqual([0, 0])
    const before = readFileSync(path)
    tensors.get('a')!.fill_(7)
    tensors.get('b')!.fill_(7)
    expect(readFileSync(path).equals(before)).toBe(true)
    expect(tensors.get('a')!.tolist()).toEqual([7])
  })

  it('leaves nothing behind: no tensors but those given, no temporary file', () => {
    const before = memory().tensors
    const { tensors } = readSafetensors(reference)
    expect(memory().tensors).toBe(before + tensors.size)
    const path = join(folder, 'clean.safetensors')
    writeSafetensors(path, tensors)
    expect(memory().tensors).toBe(before + tensors.size)
    expect(readdirSync(folder).filter(name => name.includes('.tmp'))).toEqual([])
    tensors.get('scalar')!.dispose()
    expect(() => writeSafetensors(path, { a: tensor([1]) } as never)).toThrow('expected a Map from names to tensors')
    expect(() => writeSafetensors(path, tensors)).toThrow(/freed/)
    const complex = torch.zeros([1], { dtype: 'complex64' })
    const other = join(folder, 'complex.safetensors')
    expect(() => writeSafetensors(other, new Map([['c', complex]]))).toThrow(
      `safetensors ${other}: tensor "c": cannot store complex64`,
    )
    expect(existsSync(other)).toBe(false)
    expect(readdirSync(folder).filter(name => name.includes('.tmp'))).toEqual([])
    expect(readSafetensorsHeader(path).entries.length).toBe(Object.keys(golden).length)
  })

  const f32 = entry('F32', [2], [0, 8])
  // biome-ignore format: a table
  const lies: [string, () => string, string][] = [
    ['a stump', () => stump(), 'got 3 bytes, expected at least the 8'],
    ['a header longer than the file', () => file({}, 0, 3), 'header: got a length of 3 bytes, but the file ends after 2'],
    ['a header beyond reason', () => file({}, 0, 2 ** 50), `header: got a length of ${2 ** 50} bytes, expected at most 100000000`],
    ['no JSON', () => file('{"a":'), 'header: got no JSON: '],
    ['JSON that is no object', () => file([1]), 'header: expected a JSON object'],
    ['a tensor twice', () => file('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'), 'header: got "a" twice'],
    ['a field twice', () => file('{"a":{"dtype":"U8","shape":[1],"shape":[0],"data_offsets":[0,0]}}'), 'header: got "shape" twice'],
    ['an unknown dtype', () => file({ a: entry('F8', [2], [0, 8]) }, 8), 'tensor "a": dtype: got "F8", expected one of F64, I64'],
    ['a dtype from the prototype', () => file({ a: entry('toString', [2], [0, 8]) }, 8), 'tensor "a": dtype: got "toString"'],
    ['a negative size', () => file({ a: entry('F32', [-2], [0, 8]) }, 8), 'tensor "a": shape: got [-2], expected whole numbers'],
    ['a fractional size', () => file({ a: entry('F32', [0.5, 4], [0, 8]) }, 8), 'tensor "a": shape: got [0.5,4]'],
    ['a shape that overflows', () => file({ a: entry('F32', [2 ** 32, 2 ** 32], [0, 8]) }, 8), 'tensor "a": data_offsets: got 8 bytes, expected 73786976294838210000'],
    ['another size than the shape', () => file({ a: entry('F32', [3], [0, 8]) }, 8), 'tensor "a": data_offsets: got 8 bytes, expected 12 for F32 of shape [3]'],
    ['offsets backwards', () => file({ a: entry('F32', [2], [8, 0]) }, 8), 'tensor "a": data_offsets: got a start of 8 after the end 0'],
    ['offsets outside', () => file({ a: entry('F32', [2], [8, 16]) }, 8), 'tensor "a": data_offsets: got an end of 16, but there are 8 bytes of data'],
    ['three offsets', () => file({ a: entry('F32', [2], [0, 4, 8]) }, 8), 'tensor "a": data_offsets: got [0,4,8], expected two whole numbers'],
    ['an overlap', () => file({ a: f32, b: entry('F32', [2], [4, 12]) }, 12), 'tensor "b": data_offsets: overlap: got a start of 4, expected 8'],
    ['a gap', () => file({ a: f32, b: entry('F32', [1], [12, 16]) }, 16), 'tensor "b": data_offsets: gap: got a start of 12, expected 8'],
    ['bytes nobody owns', () => file({ a: f32 }, 11), 'got 11 bytes of data, expected 8, where the last tensor ends'],
    ['a truncated file', () => file({ a: f32 }, 7), 'tensor "a": data_offsets: got an end of 8, but there are 7 bytes of data'],
    ['a missing field', () => file({ a: { dtype: 'F32', shape: [2] } }, 8), 'tensor "a": data_offsets: got undefined, expected two'],
    ['an unknown field', () => file({ a: { ...f32, offset: 1 } }, 8), 'tensor "a": got an unknown field "offset"'],
    ['a tensor that is null', () => file({ a: null }), 'tensor "a": expected an object with dtype, shape and data_offsets'],
    ['metadata that is no text', () => file({ __metadata__: { a: 1 } }), '__metadata__: "a": expected a string'],
  ]
  it.each(lies)('refuses %s in one line', (_, make, expected) => {
    const path = make()
    const before = memory().tensors
    let message = ''
    try {
      readSafetensors(path)
    } catch (error) {
      message = (error as Error).message
    }
    expect(message).toContain(`safetensors ${path}: ${expected}`)
    expect(message).not.toContain('\n')
    expect(memory().tensors).toBe(before)
  })

  it('refuses a header that is not UTF-8, a folder, and what is not there', () => {
    const path = file('{}', 0)
    writeFileSync(path, Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe]))
    expect(() => readSafetensors(path)).toThrow(`safetensors ${path}: header: got bytes that are not UTF-8`)
    expect(() => readSafetensors(folder)).toThrow(`safetensors ${folder}: got something that is not a file`)
    expect(() => readSafetensors(join(folder, 'nowhere'))).toThrow(/ENOENT/)
  })

  it('keeps names that JavaScript objects treat in their own way', () => {
    const path = join(folder, 'names.safetensors')
    const names = ['__proto__', '2', '1', 'constructor', 'ä"\\\n']
    writeSafetensors(path, new Map(names.map((name, i) => [name, tensor([i])])))
    const { tensors } = readSafetensors(path)
    for (const [i, name] of names.entries()) expect([name, tensors.get(name)!.tolist()]).toEqual([name, [i]])
  })
})

function written(): Map<string, Tensor> {
  return new Map([
    [
      'model.weight',
      tensor([
        [1.5, -2.25],
        [0.1, 3e38],
      ]),
    ],
    ['brain', tensor([1, -3.140625], { dtype: 'bfloat16' })],
    ['half', tensor([0.5, -65504], { dtype: 'float16' })],
    ['double', tensor(Float64Array.of(0.1))],
    ['long', tensor(BigInt64Array.of(2n ** 53n + 1n, -1n))],
    ['int', tensor(Int32Array.of(-(2 ** 31)))],
    ['byte', tensor(Uint8Array.of(0, 255, 7))],
    ['flag', tensor([true, false])],
    ['scalar', tensor(42)],
    ['empty', torch.zeros([0, 4])],
    ['größe 大', tensor([7])],
  ])
}
