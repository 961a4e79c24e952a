import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { noGrad, scope, tensor } from '@emend/torch'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { runCli } from '../../cli/run-cli.js'
import { LanguageModel } from '../../language-model.js'
import { convertModel } from './index.js'
import { llamaCpp, smolLm2 } from './smollm2.fixture.js'

interface Continued {
  text: string
  ids: number[]
  /** of every id after the first */
  logprobs: number[]
  greedy: number[]
  /** their log-probabilities, and how far the best one lies before the second */
  chosen: number[]
  margins: number[]
}

// By transformers on the same file: goldens/gguf/make-smollm2.py.
const { prompts, chats, texts } = JSON.parse(
  readFileSync(new URL('../../../goldens/gguf/smollm2.json', import.meta.url), 'utf8'),
) as { prompts: Continued[]; chats: Continued[]; texts: { text: string; ids: number[] }[] }

const file = smolLm2()
const llama = file && llamaCpp()
const folder = mkdtempSync(join(tmpdir(), 'emend-smollm2-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Log-probabilities of every token after the first, and at each place the best token and its lead over the second. */
function read({ decoder }: LanguageModel, ids: readonly number[]) {
  const input = Int32Array.from(ids)
  return scope(() =>
    noGrad(() => {
      const hidden = decoder.hidden(tensor(input, { dtype: 'int64', shape: [1, ids.length] }))
      const logprobs = decoder.logits(hidden).select(0, 0).log_softmax(-1)
      const best = logprobs.topk(2, -1)
      const lead = best.values.select(1, 0).sub(best.values.select(1, 1)).floats()
      const next = tensor(input.slice(1), { dtype: 'int64', shape: [ids.length - 1, 1] })
      const given = logprobs
        .narrow(0, 0, ids.length - 1)
        .gather(1, next)
        .floats()
      return { given, best: best.indices.select(1, 0).ints(), lead }
    }),
  )
}

/** The first place where `tokens` are no longer surely what is best: the lead of the best is at most `margin`. */
const sureUntil = (lead: ArrayLike<number>, margin: number) => {
  const unsure = Array.from(lead).findIndex(x => x <= margin)
  return unsure < 0 ? lead.length : unsure
}

/** One command line with --json; what it prints. */
async function command(...words: string[]): Promise<unknown> {
  let printed = ''
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text, done?: unknown) => {
    printed += text
    ;(done as (() => void) | undefined)?.()
    return true
  })
  try {
    expect(await runCli([...words, '--json'])).toBe(0)
  } finally {
    stdout.mockRestore()
  }
  return JSON.parse(printed)
}

describe.skipIf(!file)('SmolLM2-135M-Instruct at the command line', () => {
  const asFolder = join(folder, 'SmolLM2-135M-Instruct')

  it('is converted to a folder', async () => {
    const converted = await command('convert', file!, asFolder)
    expect(converted).toEqual({ format: 'hf', type: 'f32', parameters: 134_515_008, path: asFolder })
  })

  it.each([
    ['the GGUF file', () => file!],
    ['the folder', () => asFolder],
  ])(
    '%s: log-probabilities and tokens of transformers',
    async (_, path) => {
      const cases = [...prompts.filter(({ text }) => !text.includes('<|')), ...chats]
      let furthest = 0
      for (const golden of cases) {
        const flags = ['--max-new-tokens', '24', '--temperature', '0', ...(chats.includes(golden) ? ['--chat'] : [])]
        const said = (await command('generate', '--model', path(), '--prompt', golden.text, ...flags)) as {
          prompt_tokens: number[]
          tokens: number[]
          logprobs: number[]
        }
        expect(said.prompt_tokens).toEqual(golden.ids)
        const sure = sureUntil(golden.margins, 0.01)
        expect(sure).toBeGreaterThan(Math.min(8, golden.greedy.length - 1))
        expect(said.tokens.slice(0, sure)).toEqual(golden.greedy.slice(0, sure))
        for (let i = 0; i < sure; i++) furthest = Math.max(furthest, Math.abs(said.logprobs[i]! - golden.chosen[i]!))
      }
      console.log(`the furthest log-probability of a token chosen: ${furthest.toExponential(1)}`)
      expect(furthest).toBeLessThan(1e-3)
    },
    300_000,
  )

  it('every token of a text that is read has the log-probability of transformers', async () => {
    const model = await LanguageModel.load(file!)
    for (const { text, ids, logprobs } of prompts) {
      expect([...(await model.tokenizer.encode(text, { specials: true })).ids]).toEqual(ids)
      const { given } = read(model, ids)
      for (const [i, x] of logprobs.entries()) expect(Math.abs(given[i]! - x)).toBeLessThan(1e-3)
    }
    model.decoder.dispose()
  })
})

/** What llama.cpp makes of a file, in a process of its own: the ids of texts, and greedy continuations. */
function byLlamaCpp(file: string, length: number): { ids: number[][]; continued: number[][] } {
  const script = `
    import { getLlama } from ${JSON.stringify(pathToFileURL(llama!).href)}
    const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error', maxThreads: 1 })
    const model = await llama.loadModel({ modelPath: process.env.FILE })
    const { texts, prompts } = JSON.parse(process.env.INPUT)
    const continued = []
    for (const ids of prompts) {
      const context = await model.createContext({ contextSize: 256 })
      const tokens = []
      for await (const token of context.getSequence().evaluate(ids, { temperature: 0 })) {
        if (tokens.push(token) === ${length}) break
      }
      await context.dispose()
      continued.push(tokens)
    }
    console.log(JSON.stringify({ ids: texts.map(text => model.tokenize(text, true)), continued }))
    process.exit()`
  const input = { texts: texts.map(({ text }) => text), prompts: [...prompts, ...chats].map(({ ids }) => ids) }
  // In a file, since node-llama-cpp forks itself with the arguments that Node was started with.
  const path = join(folder, 'llama.mjs')
  writeFileSync(path, script)
  const run = spawnSync(process.execPath, [path], {
    encoding: 'utf8',
    env: { ...process.env, FILE: file, INPUT: JSON.stringify(input) },
  })
  if (run.status !== 0) throw new Error(`node-llama-cpp: ${run.stderr}`)
  return JSON.parse(run.stdout)
}

describe.skipIf(!llama)('llama.cpp', () => {
  it('reads the F16 file that we write: the same tokens of texts, the same continuations', async () => {
    const asF16 = join(folder, 'SmolLM2-135M-Instruct.F16.gguf')
    await convertModel(file!, asF16, { type: 'f16' })
    const theirs = byLlamaCpp(asF16, 24)
    for (const [i, { text, ids }] of texts.entries()) expect([text, theirs.ids[i]]).toEqual([text, ids])
    const ours = await LanguageModel.load(asF16)
    for (const [i, { ids }] of [...prompts, ...chats].entries()) {
      const tokens = theirs.continued[i]!
      // Ours, at each place after what theirs said: the same token wherever it is not a close call.
      const { best, lead } = read(ours, [...ids, ...tokens])
      const from = ids.length - 1
      const clear = tokens.flatMap((token, t) => (lead[from + t]! > 0.1 ? [{ t, token, ours: best[from + t]! }] : []))
      expect(clear.length).toBeGreaterThan(tokens.length / 2)
      expect(clear.map(({ ours }) => ours)).toEqual(clear.map(({ token }) => token))
      // Theirs ended a turn: ours does too.
      if (tokens.length < 24) expect(ours.eos).toContain(best[from + tokens.length])
    }
    ours.decoder.dispose()
  }, 300_000)
})
