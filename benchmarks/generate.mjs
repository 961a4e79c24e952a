// Tokens per second of generation beside Python's transformers.generate: the same weights, machine and threads, in turn,
// greedy, no end-of-text. Run after `npm run build`:
//   PYTHON=python3 npm run bench:generate -- [--models 10M,50M,135M] [--batches 1,32] [--repeats 5] [--threads N] [--gguf FILE]
// "even": prompts of one length. "mixed": of a quarter of it up to all, as they come; Python pads them on the left. "ending": four
// batches of even prompts whose texts end after a quarter of the new tokens up to all, as those of a policy do; only those count. Here
// rows that have ended make room for others; Python waits for the longest of each batch.
// The roof is the time that the step's matrix products alone take, by whichever of the two kernels is quicker, on the same
// weights and as many rows: what is left above it is everything else. SMOLLM2 may name a Hugging Face folder of SmolLM2-135M;
// without it random weights of its shape serve. With --gguf llama.cpp (node-llama-cpp) generates from that file, for scale.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { noGrad, numThreads, PackedLinear, randomUniform, scope, setNumThreads, torch, uniform } from '@emend/torch'
import { loadModel, saveModel } from 'emend/checkpoints'
import { GenerationEngine } from 'emend/generation'
import { createDecoder, decoderConfig } from 'emend/models'
import { median, startPeer } from './peer.mjs'

const { values: options } = parseArgs({
  options: {
    models: { type: 'string', default: '10M,50M,135M' },
    batches: { type: 'string', default: '1,32' },
    repeats: { type: 'string', default: '5' },
    prompt: { type: 'string', default: '32' },
    new: { type: 'string', default: '128' },
    threads: { type: 'string' },
    gguf: { type: 'string' },
  },
})
if (options.threads) setNumThreads(Number(options.threads))

const shapes = {
  '10M': { vocabSize: 8192, hiddenSize: 256, layers: 10, heads: 8, kvHeads: 2, intermediateSize: 704 },
  '50M': { vocabSize: 16384, hiddenSize: 512, layers: 15, heads: 8, kvHeads: 2, intermediateSize: 1408 },
  '135M': { vocabSize: 49152, hiddenSize: 576, layers: 30, heads: 9, kvHeads: 3, intermediateSize: 1536 },
}

async function seconds(work) {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

/** Random prompts [batch], of one length, or from a quarter of it to all of it. */
function promptsFor(batch, longest, vocabulary, mixed) {
  return Array.from({ length: batch }, (_, i) => {
    const length = mixed ? Math.round(longest * (1 - (0.75 * i) / batch)) : longest
    return Int32Array.from(randomUniform([7, i], length), u => Math.floor(u * vocabulary))
  })
}

/** The greedy continuation of each prompt, of its length, so many at once. */
function continuations(model, prompts, lengths, maxRows) {
  const engine = new GenerationEngine(model, { maxRows })
  const made = []
  for (const [i, prompt] of prompts.entries()) {
    const onFinish = (_, { ids }) => {
      made[i] = ids
    }
    engine.add({
      prompt,
      maxNewTokens: lengths[i],
      sampling: { temperature: 0 },
      eos: [],
      seed: 0,
      request: i,
      onFinish,
    })
  }
  while (engine.step());
  engine.dispose()
  return made
}

/** Seconds that the matrix products of one step take for so many rows, each with its own weights; and what that is. */
function roof(model, rows) {
  const matrices = [...model.parameters()]
    .filter(([name, { ndim }]) => ndim === 2 && !name.includes('embed'))
    .map(([, weight]) => weight)
  matrices.push((model.lm_head ?? model.model.embed_tokens).weight)
  const numbers = matrices.reduce((sum, { numel }) => sum + numel, 0)
  const inputs = new Map(matrices.map(({ shape }) => [shape[1], torch.ones([rows, shape[1]])]))
  const quickest = products =>
    noGrad(() => {
      const times = Array.from({ length: 9 }, () => {
        const start = performance.now()
        scope(() => {
          for (const [i, { shape }] of matrices.entries()) products(i, inputs.get(shape[1]))
        })
        return (performance.now() - start) / 1000
      })
      return median(times.slice(1))
    })
  const packed = PackedLinear.available ? matrices.map(weight => new PackedLinear(weight)) : []
  const time = Math.min(
    quickest((i, x) => torch.linear(x, matrices[i])),
    packed.length > 0 ? quickest((i, x) => packed[i].forward(x)) : Number.POSITIVE_INFINITY,
  )
  for (const each of [...packed, ...inputs.values()]) each.dispose()
  return { time, gflops: (2 * rows * numbers) / time / 1e9, gbytes: (4 * numbers) / time / 1e9 }
}

/** llama.cpp's tokens per second from a GGUF file, one sequence. */
async function llamaCpp(file, longest, maxNewTokens) {
  const { getLlama } = await import('node-llama-cpp')
  const llama = await getLlama({ gpu: false, maxThreads: numThreads() })
  const model = await llama.loadModel({ modelPath: file })
  const context = await model.createContext({ contextSize: 512, threads: numThreads() })
  const times = []
  for (let i = 0; i <= repeats; i++) {
    const sequence = context.getSequence()
    const [prompt] = promptsFor(1, longest, 1000, false)
    const start = performance.now()
    let tokens = 0
    for await (const _ of sequence.evaluate([...prompt], { temperature: 0 })) if (++tokens === maxNewTokens) break
    times.push((performance.now() - start) / 1000)
    sequence.dispose()
  }
  await llama.dispose()
  return Math.round(maxNewTokens / median(times.slice(1)))
}

const peer = startPeer('generate_peer.py', 'torch and transformers')
const rows = []
const folder = mkdtempSync(join(tmpdir(), 'emend-generate-'))
const [repeats, promptLength, maxNewTokens] = [options.repeats, options.prompt, options.new].map(Number)
let peerIs
try {
  for (const name of options.models.split(',')) {
    const real = name === '135M' && process.env.SMOLLM2
    const at = real || join(folder, name)
    if (!real) await saveModel(at, createDecoder(decoderConfig({ ...shapes[name], maxPositions: 2048 }), 1))
    const { model } = await loadModel(at)
    peerIs ??= await peer.ask({ load: at, threads: numThreads() }).catch(error => error)
    if (peerIs instanceof Error) console.log(`Python's transformers are left out: ${peerIs.message}`)
    else await peer.ask({ load: at, threads: numThreads() })
    const cases = options.batches
      .split(',')
      .map(Number)
      .flatMap(batch => (batch === 1 ? ['even'] : ['even', 'mixed', 'ending']).map(kind => ({ batch, kind })))
    for (const { batch, kind } of cases) {
      const count = kind === 'ending' ? 4 * batch : batch
      const prompts = promptsFor(count, promptLength, model.config.vocabSize, kind === 'mixed')
      const shortest = kind === 'ending' ? maxNewTokens >> 2 : maxNewTokens
      const lengths = prompts.map((_, i) => shortest + Math.round((maxNewTokens - shortest) * uniform(8, i)))
      const tokens = lengths.reduce((sum, length) => sum + length, 0)
      const ours = []
      const theirs = []
      let same = '-'
      for (let i = 0; i <= repeats; i++) {
        let replies
        ours.push(
          await seconds(() => {
            replies = continuations(model, prompts, lengths, batch)
          }),
        )
        if (peerIs instanceof Error) continue
        const answers = { seconds: 0, tokens: [] }
        for (let from = 0; from < count; from += batch) {
          const ids = prompts.slice(from, from + batch).map(prompt => [...prompt])
          const answer = await peer.ask({ ids, new: lengths.slice(from, from + batch) })
          answers.seconds += answer.seconds
          answers.tokens.push(...answer.tokens)
        }
        theirs.push(answers.seconds)
        const equal = replies.flatMap((ids, r) => [...ids].map((id, t) => id === answers.tokens[r][t]))
        same = `${Math.round((100 * equal.filter(Boolean).length) / equal.length)} %`
      }
      // The first of each warms caches and kernels.
      const [mine, other] = [ours, theirs].map(times => median(times.slice(1)))
      const { time, gflops, gbytes } = roof(model, batch)
      const perSecond = time => Math.round(tokens / time)
      rows.push({
        model: real ? 'SmolLM2-135M' : name,
        batch,
        texts: kind,
        'ours tok/s': perSecond(mine),
        'transformers tok/s': other ? perSecond(other) : '-',
        ratio: other ? Number((other / mine).toFixed(2)) : '-',
        'same tokens': same,
        'roof tok/s': Math.round(batch / time),
        'of roof': `${Math.round((100 * time * tokens) / batch / mine)} %`,
        'GFLOP/s': Math.round(gflops),
        'GB/s': Math.round(gbytes),
      })
      const { texts, ratio } = rows.at(-1)
      console.error(`${name}, ${batch} rows, ${texts}: ${perSecond(mine)} tokens/s, ${ratio} times transformers`)
    }
    model.dispose()
  }
} finally {
  peer.end()
  rmSync(folder, { recursive: true, force: true })
}
const versions =
  peerIs instanceof Error ? '' : `; transformers ${peerIs.transformers}, torch ${peerIs.torch}, ${peerIs.attention}`
console.log(
  `${numThreads()} threads, float32, prompts of ${promptLength}, ${maxNewTokens} new tokens, median of ${repeats}${versions}`,
)
console.table(rows)
if (options.gguf) {
  const said = await llamaCpp(options.gguf, promptLength, maxNewTokens).then(
    perSecond => `${perSecond} tok/s`,
    error => `left out: ${error.message}; npm install --no-save node-llama-cpp`,
  )
  console.log(`llama.cpp, one sequence of ${options.gguf}: ${said}`)
}
