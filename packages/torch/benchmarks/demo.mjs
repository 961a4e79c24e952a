/**
 * The demo's training steps at its sizes, on random tokens; beside them, in turn, the same steps of a Python module named by
 * EMEND_PEER (with `Net`, `sft`, `train_rm`, `Pay` and `ppo` of an eager-PyTorch prototype). Without one ours stand alone.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { numThreads, randomUniform } from '../dist/index.js'
import { median } from './timing.mjs'

const built = path => import(new URL(`../../emend/dist/${path}/index.js`, import.meta.url).href)
const algorithm = name => import(new URL(`../../emend/dist/algorithms/${name}.js`, import.meta.url).href)

const SIZES = {
  vocab: 774,
  width: 128,
  layers: 3,
  heads: 4,
  inner: 352,
  batch: 32,
  rollouts: 128,
  minibatch: 64,
  newTokens: 30,
}
const STEPS = { sft: 20, reward: 10, ppo: 3 }
const EOS = 1

/** Prompts and replies of the demo's lengths; ids from 2 on, replies ended. */
function texts(n, seed) {
  const u = randomUniform([seed], n * 2)
  const ids = randomUniform([seed, 1], n * 100)
  return Array.from({ length: n }, (_, i) => {
    const prompt = 44 + Math.floor(u[2 * i] * 9)
    const reply = 21 + Math.floor(u[2 * i + 1] * 15)
    const id = j => 2 + Math.floor(ids[i * 100 + j] * (SIZES.vocab - 2))
    return {
      prompt: Int32Array.from({ length: prompt }, (_, j) => id(j)),
      response: Int32Array.from({ length: reply }, (_, j) => (j === reply - 1 ? EOS : id(prompt + j))),
    }
  })
}

async function ours(data) {
  const { createDecoder, decoderConfig, scalarFrom, valueFrom, cloneDecoder } = await built('models')
  const [{ sft, sftConfig }, { trainReward, rewardConfig }, { ppo, ppoConfig }] = await Promise.all(
    ['sft', 'reward', 'ppo'].map(algorithm),
  )
  const { RewardModel } = await import(new URL('../../emend/dist/rewards/reward-model.js', import.meta.url).href)
  const { fitCalibration, learnedReward } = await import(
    new URL('../../emend/dist/rewards/paid.js', import.meta.url).href
  )
  const { paymentOf } = await built('rewards/payments')
  const shape = { vocabSize: SIZES.vocab, hiddenSize: SIZES.width, layers: SIZES.layers, heads: SIZES.heads }
  const model = createDecoder(
    decoderConfig({ ...shape, intermediateSize: SIZES.inner, maxPositions: 512, eos: [EOS] }),
    1,
  )
  const timed = async (steps, run) => {
    const started = performance.now()
    await run()
    return (performance.now() - started) / 1000 / steps
  }
  const times = {}
  times.sft = await timed(STEPS.sft, () => sft(model, data.slice(0, SIZES.batch * STEPS.sft), sftConfig.parse({}), 1))
  const side = ({ response }) => ({ ids: response, ended: true })
  const pairs = Array.from({ length: SIZES.batch * STEPS.reward }, (_, i) => {
    const [a, b] = [data[2 * i], data[2 * i + 1]]
    return { id: String(i), prompt: a.prompt, chosen: side(a), rejected: side(b), source: 'preference' }
  })
  const reward = new RewardModel(scalarFrom(model, 1), 'sequence', 'none')
  times.reward = await timed(STEPS.reward, () =>
    trainReward(reward, pairs, rewardConfig.parse({ kind: 'sequence', epochs: 1 }), 1),
  )
  const some = data.slice(0, SIZES.rollouts)
  const payment = paymentOf('terminal')
  const calibration = fitCalibration(
    reward,
    payment,
    { prompts: some.map(one => one.prompt), responses: some.map(one => one.response) },
    'random texts',
  )
  const settings = {
    steps: STEPS.ppo,
    rollouts: SIZES.rollouts,
    minibatch_size: SIZES.minibatch,
    max_new_tokens: SIZES.newTokens,
  }
  times.ppo = await timed(STEPS.ppo, () =>
    ppo(
      {
        policy: cloneDecoder(model),
        reference: model,
        value: valueFrom(reward.scalar),
        prompts: data.map(one => one.prompt),
        reward: learnedReward(reward, payment, calibration),
        eos: [EOS],
      },
      ppoConfig.parse(settings),
      1,
    ),
  )
  return times
}

function theirs(python, module, data, threads) {
  const folder = mkdtempSync(join(tmpdir(), 'emend-bench-'))
  try {
    const file = join(folder, 'data.json')
    const plain = data.map(({ prompt, response }) => [Array.from(prompt), Array.from(response)])
    writeFileSync(file, JSON.stringify({ sizes: SIZES, steps: STEPS, threads, data: plain }))
    const script = fileURLToPath(new URL('demo_peer.py', import.meta.url))
    const { status, stdout, stderr } = spawnSync(python, [script, module, file], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`the peer ${module} failed: ${stderr.trim().split('\n').at(-1)}`)
    return JSON.parse(stdout.trim().split('\n').at(-1))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

export async function benchmarkDemo(python, { rounds = 3 } = {}) {
  const module = process.env['EMEND_PEER']
  const threads = numThreads()
  const data = texts(2 * SIZES.batch * Math.max(STEPS.sft, STEPS.reward), 7)
  const mine = []
  const peers = []
  for (let round = 0; round < rounds; round++) {
    mine.push(await ours(data))
    if (module && python) peers.push(theirs(python, module, data, threads))
  }
  const rows = ['sft', 'reward', 'ppo'].map(name => {
    const [own, other] = [mine, peers].map(list =>
      list.length > 0 ? median(list.map(times => times[name])) : undefined,
    )
    return {
      step: { sft: 'SFT, 32 examples', reward: 'reward model, 32 pairs', ppo: 'PPO, 128 rollouts' }[name],
      'ours, ms': Number((own * 1e3).toFixed(0)),
      ...(other && { 'peer, ms': Number((other * 1e3).toFixed(0)), 'peer / ours': Number((other / own).toFixed(2)) }),
    }
  })
  console.log(`The demo's steps at its sizes, ${threads} threads; median of ${rounds}, in turn`)
  if (!module) console.log('no EMEND_PEER: a Python module to compare with can be named by it')
  console.table(rows)
}
