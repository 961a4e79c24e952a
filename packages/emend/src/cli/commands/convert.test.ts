import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { golden } from '../../checkpoints/gguf/goldens.fixture.js'
import { convertCommand } from './convert.js'
import { inspectCommand } from './inspect.js'

const folder = mkdtempSync(join(tmpdir(), 'emend-convert-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What a command prints on stdout. */
async function run(command: ReturnType<typeof convertCommand>, ...args: string[]): Promise<string> {
  let out = ''
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text, done?: unknown) => {
    out += text
    ;(done as (() => void) | undefined)?.()
    return true
  })
  try {
    await command.parseAsync(args, { from: 'user' })
  } finally {
    stdout.mockRestore()
  }
  return out
}

// 96 rows and a last norm of 32; in each of 2 layers q and o of 32 × 32, k and v of 16 × 32, the biases of q, k and v, gate,
// up and down of 64 × 32, and two norms.
const PARAMETERS = 96 * 32 + 32 + 2 * (2 * 32 * 32 + 2 * 16 * 32 + 32 + 2 * 16 + 3 * 64 * 32 + 2 * 32)

describe('emend convert and inspect', () => {
  it('a GGUF file to a folder and back, with one JSON line each', async () => {
    const [out, back] = [join(folder, 'model'), join(folder, 'back.gguf')]
    const first = JSON.parse(await run(convertCommand(), golden('qwen2'), out, '--type', 'bf16', '--json'))
    expect(first).toEqual({ format: 'hf', type: 'bf16', parameters: PARAMETERS, path: out })
    expect(readdirSync(out).sort()).toEqual([
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ])
    // The type of the folder, bf16, unless another is asked for.
    const second = JSON.parse(await run(convertCommand(), out, back, '--json'))
    expect(second).toEqual({ format: 'gguf', type: 'bf16', parameters: PARAMETERS, path: back })
    expect(await run(convertCommand(), out, join(folder, 'q8'), '--to', 'gguf', '--type', 'q8_0')).toContain(
      'q8: 21,792 parameters as q8_0',
    )
  })

  it('inspect says the same of both in JSON, and in a table', async () => {
    const inspected = async (path: string) => JSON.parse(await run(inspectCommand(), path, '--json'))
    const [file, model] = [await inspected(golden('qwen2')), await inspected(join(folder, 'model'))]
    expect(model).toMatchObject({
      architecture: 'Qwen2ForCausalLM',
      parameters: PARAMETERS,
      dtype: 'bfloat16',
      vocab_size: 96,
      context_length: 64,
      tokenizer: { kind: 'BPE', tokens: 96, eos_token: '<eos>', chat_template: true },
      memory: { weights: { float32: 4 * PARAMETERS, bfloat16: 2 * PARAMETERS } },
    })
    expect({ ...file, dtype: 'bfloat16' }).toEqual(model)
    const table = await run(inspectCommand(), golden('qwen2'))
    expect(table).toContain('architecture  Qwen2ForCausalLM\nparameters    21,792\nstored as     BF16\n')
    expect(table).toMatch(/^generate( +\d+\.\d\d){7}$/m)
  })
})
