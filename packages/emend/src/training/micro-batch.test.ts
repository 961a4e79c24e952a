import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memory, setMemoryLimit, torch } from '@emend/torch'
import { afterEach, describe, expect, it } from 'vitest'
import { sft, sftConfig } from '../algorithms/sft.js'
import { createDecoder, decoderConfig } from '../models/index.js'
import { planMemory } from './micro-batch.js'
import { Run } from './run.js'
import { tinyDecoder, tinyExamples, weights } from './tiny.fixture.js'
import { Trainer } from './trainer.js'

const folder = mkdtempSync(join(tmpdir(), 'emend-micro-'))
afterEach(() => {
  setMemoryLimit(null)
  rmSync(folder, { recursive: true, force: true })
})

const settings = { micro_batch_tokens: 'auto', recompute: false } as const
const trainerOf = (model = tinyDecoder()) =>
  new Trainer(model.trainable(), { name: 'test', lr: 1, schedule: () => 1, maxGradNorm: 1 })

/** A plan in which a sample takes 4 MB, of 64 tokens, at most 32 of them at once. */
function planOf(run: Run, micro: number | 'auto' = 'auto') {
  const model = tinyDecoder()
  const trainer = trainerOf(model)
  const tried: number[] = []
  const plan = planMemory(
    {
      name: 'test',
      settings: { ...settings, micro_batch_tokens: micro },
      models: [model],
      trainers: [trainer],
      trial: {
        longest: 64,
        most: 32,
        parts(samples) {
          tried.push(samples)
          const weight = [...model.trainable().values()][0]!
          return [
            [
              trainer,
              {
                samples: ['trial'],
                loss: () =>
                  torch
                    .zeros([samples, 2 ** 20])
                    .sum()
                    .add(weight.sum()),
              },
            ],
          ]
        },
      },
    },
    run,
  )
  return { ...plan, tried, model }
}

describe('micro_batch_tokens: auto', () => {
  it('takes the whole batch where it fits', () => {
    const { tokens, tried } = planOf(new Run())
    expect(tokens).toBe(2048)
    expect(tried).toEqual([32])
  })

  it('is halved as long as memory is refused, kept in config.yaml, and taken from there', () => {
    setMemoryLimit(memory().bytes + 40 * 2 ** 20)
    const { tokens, tried, model } = planOf(new Run({ folder }))
    // 128 MB, 64 MB and then 32 MB.
    expect(tried).toEqual([32, 16, 8])
    expect(tokens).toBe(512)
    expect(readFileSync(join(folder, 'config.yaml'), 'utf8')).toBe('micro_batch_tokens: 512\n')
    expect([...model.trainable().values()].every(weight => weight.grad === null)).toBe(true)
    setMemoryLimit(null)
    expect(planOf(new Run({ folder }))).toMatchObject({ tokens: 512, tried: [] })
  })

  it('stands where the config says auto, and leaves the rest of the file alone', () => {
    const before = '# how often\nepochs: 2\n\n# tokens\nmicro_batch_tokens: auto\nlora: null\n'
    const run = new Run({ folder })
    writeFileSync(join(folder, 'config.yaml'), before)
    planOf(run)
    expect(readFileSync(join(folder, 'config.yaml'), 'utf8')).toBe(before.replace('auto', '2048'))
  })

  it('says so in one line when not even one sample fits', () => {
    setMemoryLimit(memory().bytes + 2 ** 20)
    expect(() => planOf(new Run())).toThrow(/^test: not even one sample of 64 tokens fits into memory: .*out of memory/)
  })

  it('a number is taken as it is', () => {
    expect(planOf(new Run(), 100)).toMatchObject({ tokens: 100, tried: [] })
  })

  it('trains to the same weights as that number', async () => {
    const trained = async (micro_batch_tokens: number | 'auto') => {
      const model = tinyDecoder()
      await sft(model, tinyExamples(30), sftConfig.parse({ batch_size: 8, micro_batch_tokens }), 1, new Run())
      return weights(model)
    }
    // The longest sample has 15 tokens; 8 of them are 120, so 128 at once.
    expect(await trained('auto')).toEqual(await trained(128))
  })
})

describe('memory, estimated beforehand and measured', () => {
  const config = decoderConfig({ vocabSize: 1000, hiddenSize: 128, layers: 6, heads: 4, kvHeads: 2, maxPositions: 512 })
  const examples = Array.from({ length: 16 }, (_, i) => ({
    prompt: Int32Array.of(1),
    response: Int32Array.from({ length: 127 }, (_, t) => (i * 31 + t * 7) % 1000),
  }))

  it.each([
    ['weights', false],
    ['recompute', true],
  ])('agree within a quarter: %s', async (_, recompute) => {
    const lines: string[] = []
    const others = memory().bytes
    const config_ = sftConfig.parse({ batch_size: 16, micro_batch_tokens: 2048, recompute })
    await sft(createDecoder(config, 1), examples, config_, 1, new Run({ onLine: line => lines.push(line) }))
    const [, estimated] = /estimated at ([\d.]+) GB/.exec(lines[0]!)!
    const [, measured] = /measured at ([\d.]+) GB/.exec(lines[1]!)!
    expect(lines[1]).toContain(`(estimated ${estimated})`)
    const own = Number(measured) - others / 1e9
    console.log(`recompute ${recompute}: estimated ${estimated} GB, measured ${own.toFixed(3)} GB`)
    expect(Number(estimated) / own).toBeGreaterThan(0.75)
    expect(Number(estimated) / own).toBeLessThan(1.25)
  })
})
