import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { noGrad, scope, tensor } from '@emend/torch'
import { afterAll, describe, expect, it } from 'vitest'
import { LanguageModel } from '../../language-model.js'
import { convertModel } from './index.js'
import { smolLm2 } from './smollm2.fixture.js'

// By transformers on the same file: goldens/gguf/make-smollm2.py.
const { prompts, texts } = JSON.parse(
  readFileSync(new URL('../../../goldens/gguf/smollm2.json', import.meta.url), 'utf8'),
) as {
  prompts: { text: string; ids: number[]; logprobs: number[]; greedy: number[]; chosen: number[]; margins: number[] }[]
  texts: { text: string; ids: number[] }[]
}

const file = smolLm2()
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

describe.skipIf(!file)('SmolLM2-135M-Instruct', () => {
  it.each(['the GGUF file', 'the folder it is converted to'])(
    '%s: log-probabilities and tokens of transformers',
    async which => {
      const asFolder = join(folder, 'SmolLM2-135M-Instruct')
      if (which !== 'the GGUF file') await convertModel(file!, asFolder)
      const model = await LanguageModel.load(which === 'the GGUF file' ? file! : asFolder)
      for (const { text, ids, logprobs, greedy, chosen, margins } of prompts) {
        const encoded = await model.tokenizer.encode(text, { specials: true })
        expect([...encoded.ids]).toEqual(ids)
        const { given } = read(model, ids)
        for (const [i, x] of logprobs.entries()) expect(Math.abs(given[i]! - x)).toBeLessThan(1e-3)
        const [reply] = model.complete([encoded.ids], { temperature: 0, maxNewTokens: 24 })
        const sure = sureUntil(margins, 0.01)
        expect(sure).toBeGreaterThan(10)
        expect([...reply!.ids.slice(0, sure)]).toEqual(greedy.slice(0, sure))
        for (let i = 0; i < sure; i++) expect(Math.abs(reply!.logprobs[i]! - chosen[i]!)).toBeLessThan(1e-3)
      }
      model.decoder.dispose()
    },
  )
})

/**
 * What llama.cpp makes of a file: the ids of texts, and greedy continuations. node-llama-cpp is taken from this tree or from
 * the folder that EMEND_LLAMA_CPP names; it weighs 700 MB, so it is no dependency. It runs in a process of its own.
 */
function llamaCpp(file: string, length: number): { ids: number[][]; continued: number[][] } {
  const script = `
    import { getLlama } from ${JSON.stringify(pathToFileURL(llamaEntry).href)}
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
  const input = { texts: texts.map(({ text }) => text), prompts: prompts.map(({ ids }) => ids) }
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

const llamaEntry = join(
  process.env['EMEND_LLAMA_CPP'] ?? fileURLToPath(new URL('../../../../..', import.meta.url)),
  'node_modules/node-llama-cpp/dist/index.js',
)
const hasLlama = existsSync(llamaEntry)
if (file && !hasLlama) {
  console.warn('skipped: no node-llama-cpp (npm install it anywhere and name that folder in EMEND_LLAMA_CPP)')
}

describe.skipIf(!file || !hasLlama)('llama.cpp', () => {
  it('reads the F16 file that we write: the same tokens of texts, the same continuations', async () => {
    const asF16 = join(folder, 'SmolLM2-135M-Instruct.F16.gguf')
    await convertModel(file!, asF16)
    const theirs = llamaCpp(asF16, 24)
    for (const [i, { text, ids }] of texts.entries()) expect([text, theirs.ids[i]]).toEqual([text, ids])
    const ours = await LanguageModel.load(asF16)
    for (const [i, { ids }] of prompts.entries()) {
      const tokens = theirs.continued[i]!
      // Ours, at each place after what theirs said: the same token wherever it is not a close call.
      const { best, lead } = read(ours, [...ids, ...tokens])
      const from = ids.length - 1
      const clear = tokens.flatMap((token, t) => (lead[from + t]! > 0.1 ? [{ t, token, ours: best[from + t]! }] : []))
      expect(clear.length).toBeGreaterThan(15)
      expect(clear.map(({ ours }) => ours)).toEqual(clear.map(({ token }) => token))
    }
    ours.decoder.dispose()
  }, 300_000)
})
