// Memory of PPO's four models (policy, reference, reward, value): weights of their own, adapters on one copy of the weights, and
// adapters with recomputed layers. Run after `npm run build`:
//   node benchmarks/memory-lora.mjs [Hugging Face folder or .gguf; a random model of 23 million parameters unless told]
// Each way runs in a process of its own, two steps of PPO. "weights" is what tensors hold before the first step, "at the peak" the most
// they were seen to hold within a step, "resident" the most the process was (Linux, VmHWM), each also in copies of the model's weights.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const ways = {
  'four sets of weights': { lora: null, recompute: false },
  'adapters on one': { lora: { rank: 16, alpha: 32, targets: ['all-linear'] }, recompute: false },
  'adapters, recomputed': { lora: { rank: 16, alpha: 32, targets: ['all-linear'] }, recompute: true },
}

if (process.env.EMEND_MEMORY_WAY) await measure(process.env.EMEND_MEMORY_WAY, process.argv[2])
else {
  const rows = Object.keys(ways).map(way => {
    const env = { ...process.env, EMEND_MEMORY_WAY: way }
    const out = execFileSync(process.execPath, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { env })
    return JSON.parse(out.toString().trim().split('\n').at(-1))
  })
  console.table(rows.map(({ said: _, ...row }) => row))
  for (const { way, said } of rows) console.log(`${way}: ${said}`)
}

async function measure(way, path) {
  const { memory, setNumThreads } = await import('@emend/torch')
  const {
    createDecoder,
    decoderConfig,
    cloneDecoder,
    adaptedDecoder,
    adaptedScalar,
    adaptedValue,
    scalarFrom,
    valueFrom,
  } = await import('emend/models')
  const { ppo, ppoConfig } = await import('emend/algorithms')
  const { RewardModel, learnedReward, paymentOf } = await import('emend/rewards')
  const { Run } = await import('emend/training')
  const { readFileSync } = await import('node:fs')
  setNumThreads(1)
  const { lora, recompute } = ways[way]
  const shape = { vocabSize: 8192, hiddenSize: 512, intermediateSize: 1376, layers: 6, heads: 8, maxPositions: 256 }
  const base = path
    ? (await (await import('emend')).LanguageModel.load(path)).decoder
    : createDecoder(decoderConfig({ ...shape, eos: [1] }), 1)
  const copy = [...base.parameters().values()].reduce((sum, weight) => sum + weight.numel * 4, 0)
  const scalar = lora ? adaptedScalar(base, lora, 1) : scalarFrom(base, 1)
  const reward = new RewardModel(scalar, 'token', 'none')
  const parts = {
    policy: lora ? adaptedDecoder(base, lora, 2) : cloneDecoder(base),
    reference: base,
    value: lora ? adaptedValue(base, scalar, lora, 3) : valueFrom(scalar),
    prompts: Array.from({ length: 16 }, (_, i) => Int32Array.from({ length: 8 }, (_, t) => 2 + i * 9 + t)),
    reward: learnedReward(reward, paymentOf('token-mean'), { shift: 0, scale: 1, of: 'token' }),
    eos: base.config.eos,
  }
  const weights = memory().bytes
  const lines = []
  const config = ppoConfig.parse({
    steps: 2,
    rollouts: 16,
    minibatch_size: 16,
    max_new_tokens: 24,
    micro_batch_tokens: 512,
    lora,
    recompute,
  })
  await ppo(parts, config, 1, new Run({ onLine: line => lines.push(line) }))
  const peak = Number(/measured at ([\d.]+) GB/.exec(lines.at(-1))[1]) * 1e9
  const resident = Number(/VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
  const megabytes = bytes => Math.round(bytes / 1e6)
  const row = {
    way,
    'model, MB': megabytes(copy),
    'weights, MB': megabytes(weights),
    copies: Number((weights / copy).toFixed(2)),
  }
  const more = { 'at the peak, MB': megabytes(peak), 'resident, MB': megabytes(resident), said: lines[0] }
  console.log(JSON.stringify({ ...row, ...more }))
}
