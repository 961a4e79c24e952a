import { createHash } from 'node:crypto'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tensor } from '@emend/torch'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Checkpoints } from './checkpoints.js'
import type { State, Stateful } from './stateful.js'

/** The file system as a process sees it that dies at its nth call: that call and all later ones do nothing. */
const power = vi.hoisted(() => ({ callsLeft: Number.POSITIVE_INFINITY }))
vi.mock('node:fs', async importOriginal => {
  const real = await importOriginal<typeof import('node:fs')>()
  const mortal = (
    name: 'openSync' | 'writeSync' | 'writeFileSync' | 'fsyncSync' | 'renameSync' | 'rmSync' | 'mkdirSync',
  ) => {
    const call = real[name] as (...args: unknown[]) => unknown
    return (...args: unknown[]) => {
      if (power.callsLeft-- <= 0) throw new Error('dead')
      return call(...args)
    }
  }
  return {
    ...real,
    openSync: mortal('openSync'),
    writeSync: mortal('writeSync'),
    writeFileSync: mortal('writeFileSync'),
    fsyncSync: mortal('fsyncSync'),
    renameSync: mortal('renameSync'),
    rmSync: mortal('rmSync'),
    mkdirSync: mortal('mkdirSync'),
  }
})

/** An owner of a tensor and of a number, both of which say which step it stands at. */
class Counter implements Stateful {
  weight: number[] = [0, 0]
  count = 0
  at(step: number): this {
    this.weight = [step, step + 1]
    this.count = step
    return this
  }
  state(): State {
    return { tensors: new Map([['weight', tensor(this.weight)]]), values: { count: this.count } }
  }
  load({ tensors, values }: State): void {
    this.weight = tensors?.get('weight')?.tolist() as number[]
    this.count = (values as { count: number }).count
  }
  get seen(): unknown {
    return [this.count, this.weight]
  }
}

let folder: string
const owners = () => ({ policy: new Counter(), value: new Counter() })
const saved = (step: number, keep?: number) =>
  new Checkpoints(folder, keep).save(step, { policy: new Counter().at(step), value: new Counter().at(10 * step) })
const path = (step: number, file = '') => join(folder, `step-${String(step).padStart(8, '0')}`, file)
/** Restores into new owners; what they hold must be whole and of one checkpoint. */
function restoredStep(): number {
  const into = owners()
  const step = new Checkpoints(folder).restore(into)
  if (step === 0) return 0
  expect(into.policy.seen).toEqual([step, [step, step + 1]])
  expect(into.value.seen).toEqual([10 * step, [10 * step, 10 * step + 1]])
  return step
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'emend-checkpoints-'))
})
afterEach(() => {
  power.callsLeft = Number.POSITIVE_INFINITY
  rmSync(folder, { recursive: true })
})

describe('Checkpoints', () => {
  it('give every owner its own state back, and the number of steps', () => {
    expect(restoredStep()).toBe(0)
    saved(3)
    expect(restoredStep()).toBe(3)
  })

  it('say nothing of a folder that is not there', () => {
    expect(new Checkpoints(join(folder, 'none')).restore(owners())).toBe(0)
  })

  it('keep the newest two, or as many as asked', () => {
    for (const step of [1, 2, 9, 10]) saved(step)
    expect(readdirSync(folder)).toEqual(['step-00000009', 'step-00000010'])
    saved(11, 1)
    expect(readdirSync(folder)).toEqual(['step-00000011'])
  })

  it('hold a manifest with the size and the SHA-256 of every other file', () => {
    saved(5)
    const manifest = JSON.parse(readFileSync(path(5, 'manifest.json'), 'utf8')) as { step: number; files: object }
    const files = ['policy.safetensors', 'state.json', 'value.safetensors']
    expect(readdirSync(path(5)).sort()).toEqual(['manifest.json', ...files])
    expect(manifest).toEqual({
      step: 5,
      files: Object.fromEntries(
        files.map(file => {
          const bytes = readFileSync(path(5, file))
          return [
            file,
            { bytes: statSync(path(5, file)).size, sha256: createHash('sha256').update(bytes).digest('hex') },
          ]
        }),
      ),
    })
  })

  const damages: Readonly<Record<string, (step: number) => void>> = {
    'a flipped bit in the weights': step => {
      const data = readFileSync(path(step, 'policy.safetensors'))
      data[data.length - 1]! ^= 1
      writeFileSync(path(step, 'policy.safetensors'), data)
    },
    'truncated weights': step => truncateSync(path(step, 'value.safetensors'), 60),
    'missing weights': step => rmSync(path(step, 'value.safetensors')),
    'changed values': step =>
      writeFileSync(path(step, 'state.json'), readFileSync(path(step, 'state.json'), 'utf8').replace('2', '3')),
    'a truncated manifest': step => truncateSync(path(step, 'manifest.json'), 40),
    'no manifest': step => rmSync(path(step, 'manifest.json')),
    'an empty folder': step => {
      rmSync(path(step), { recursive: true })
      mkdirSync(path(step))
    },
  }
  it.each(Object.keys(damages))('with %s in the newest: the one before is taken', name => {
    saved(1)
    saved(2)
    damages[name]!(2)
    expect(restoredStep()).toBe(1)
    saved(2)
    expect(restoredStep()).toBe(2)
  })

  it('that are damaged crowd out none that is whole', () => {
    for (const step of [4, 6]) {
      saved(step)
      truncateSync(path(step, 'state.json'), 3)
    }
    expect(restoredStep()).toBe(0)
    saved(2)
    expect(restoredStep()).toBe(2)
    expect(readdirSync(folder)).toEqual(['step-00000002'])
  })

  it('leave what others put into the folder alone', () => {
    writeFileSync(join(folder, 'notes.txt'), 'mine')
    mkdirSync(join(folder, 'step-1'))
    saved(1)
    expect(readdirSync(folder).sort()).toEqual(['notes.txt', 'step-00000001', 'step-1'])
  })

  it('are whole or absent wherever the process dies while it writes one', () => {
    saved(1)
    const outcomes: number[] = []
    for (let calls = 0, died = true; died; calls++) {
      rmSync(path(2), { recursive: true, force: true })
      power.callsLeft = calls
      try {
        saved(2)
        died = false
      } catch (error) {
        expect((error as Error).message).toBe('dead')
      }
      power.callsLeft = Number.POSITIVE_INFINITY
      outcomes.push(restoredStep())
    }
    // Nothing counts until the folder has its name; from then on everything does.
    const renamed = outcomes.indexOf(2)
    expect(renamed).toBeGreaterThan(20)
    expect(outcomes).toEqual(outcomes.map((_, calls) => (calls < renamed ? 1 : 2)))
    // The last one was not killed, and has swept up after all the others.
    expect(readdirSync(folder)).toEqual(['step-00000001', 'step-00000002'])
  })
})
