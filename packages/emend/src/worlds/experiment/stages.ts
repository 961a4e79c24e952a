/** The controlled experiment as stages: one SFT model, one set of samples, then every arm on its own. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { type Edit, makeEdit } from '@emend/edits'
import { setNumThreads } from '@emend/torch'
import { pairsFromEdits } from '../../algorithms/edit-pairs.js'
import type { Pair } from '../../algorithms/pairs.js'
import { ppo } from '../../algorithms/ppo.js'
import { trainReward } from '../../algorithms/reward.js'
import { sft } from '../../algorithms/sft.js'
import { type PairAccuracy, type RewardMetrics, rewardMetrics } from '../../evaluation/index.js'
import { LanguageModel } from '../../language-model.js'
import { type ScalarModel, scalarFrom, valueFrom } from '../../models/index.js'
import { writeAtomically } from '../../pipeline/atomic-file.js'
import type { Stage, StageContext } from '../../pipeline/stage.js'
import { runOf, useThreads } from '../../pipeline/stage-run.js'
import { calibrate } from '../../rewards/calibration.js'
import { fitCalibration, learnedReward, type PaidReward, terminalReward } from '../../rewards/paid.js'
import { paymentOf } from '../../rewards/payments/index.js'
import { RewardModel } from '../../rewards/reward-model.js'
import { baselines, scorePairs } from '../../rewards/score-pairs.js'
import { Tokenizer, trainTokenizer } from '../../text/index.js'
import { type LabelAccuracy, labelAccuracy } from '../concierge/people.js'
import type { Stay } from '../concierge/stay.js'
import type { World } from '../world.js'
import { type Arm, armFolder, type PairSet, rewardStage } from './arms.js'
import type { ExperimentConfig } from './config.js'
import { type Evaluation, judgeReplies, summarise } from './evaluate.js'
import { type Preference, pairsFromPreferences, readRecords, type Sample, writeRecords } from './records.js'

/** Keys that tell apart the streams of random numbers drawn under one seed. */
const Stream = { init: 1, sampleA: 2, sampleB: 3, calibration: 4, evaluation: 5, head: 6 } as const
type Stream = (typeof Stream)[keyof typeof Stream]

/** A seed for one stream: distinct from the run's seed and from every other stream's. */
const streamSeed = (seed: number, stream: Stream) => seed * 16 + stream

/** The stages of an experiment on `world`; `arms` are those wanted. */
export function experimentStages(world: World, config: ExperimentConfig, arms: readonly Arm[]): Stage[] {
  const { seed } = config
  const rewards = new Map(
    arms.flatMap(arm =>
      arm.kind === 'ppo' && arm.reward !== 'oracle' ? [[rewardStage(arm) as string, arm] as const] : [],
    ),
  )
  const armStage = (arm: Arm): Stage => {
    const reward = rewardStage(arm)
    return {
      name: armFolder(arm),
      needs: arm.kind === 'sft' ? ['sft'] : ['sft', 'pairs', ...(reward ? [reward] : [])],
      inputs: {
        seed,
        arm: arm.name,
        test: config.test,
        replies: replySettings(config),
        ...(arm.kind === 'ppo' && {
          ppo: armPpo(config, arm),
          prompts: config.prompts,
          validation: config.validation,
        }),
        ...(arm.kind === 'finals' && { finals: config.finals }),
      },
      run: context => trainArm(world, arm, config, context),
    }
  }
  return [
    {
      name: 'tokenizer',
      inputs: { world: world.name, seed, tokenizer: config.tokenizer, demonstrations: config.demonstrations },
      run: context => trainWorldTokenizer(world, config, context),
    },
    {
      name: 'sft',
      needs: ['tokenizer'],
      inputs: { seed, model: config.model, sft: config.sft },
      run: context => supervised(world, config, context),
    },
    {
      name: 'pairs',
      needs: ['sft'],
      inputs: {
        seed,
        pairs: config.pairs,
        held_out: config.held_out,
        calibration: config.calibration,
        replies: replySettings(config),
      },
      run: context => collectPairs(world, config, context),
    },
    // The order in which ready stages start: long ones first, so that the last ones end together.
    ...arms.filter(arm => arm.kind === 'ppo' && arm.reward === 'oracle').map(armStage),
    ...Array.from(
      rewards,
      ([name, arm]): Stage => ({
        name,
        needs: ['sft', 'pairs'],
        inputs: { seed, pairs: arm.pairs, kind: arm.reward, reward: config.reward },
        run: context => rewardModel(arm.pairs, arm.reward, config, context),
      }),
    ),
    ...arms.filter(arm => arm.kind === 'ppo' && arm.reward !== 'oracle').map(armStage),
    ...arms.filter(arm => arm.kind !== 'ppo').map(armStage),
  ]
}

/** The PPO settings of an arm: the shared ones, and what the search chose for it. */
export const armPpo = (config: ExperimentConfig, arm: Arm) => ({ ...config.ppo, ...config.arms[arm.name] })

/** How every reply is sampled that people label, that calibrates a reward, or that the table judges: as PPO samples its own. */
const replySettings = ({ ppo: { max_new_tokens, temperature } }: ExperimentConfig) => ({ max_new_tokens, temperature })

const modelIn = (folder: string) => LanguageModel.load(join(folder, 'model'))

const demonstrations = (world: World, config: ExperimentConfig, n: number) =>
  world.stays('sft', config.seed, n).map((stay, i) => ({ prompt: stay.prompt, reply: world.demonstration(stay, i) }))

async function trainWorldTokenizer(
  world: World,
  config: ExperimentConfig,
  { folder, progress }: StageContext,
): Promise<void> {
  const task = progress('tokenizer', 1, 'tokenizer')
  const texts = demonstrations(world, config, Math.min(config.tokenizer.texts, config.demonstrations))
  await trainTokenizer(
    texts.map(({ prompt, reply }) => prompt + reply),
    { vocabSize: config.tokenizer.vocab_size, specials: ['<pad>', '<eos>'], folder },
  )
  task.update(1)
}

async function supervised(
  world: World,
  config: ExperimentConfig,
  context: StageContext,
): Promise<{ parameters: number }> {
  // Every other stage waits for this one, so it has the machine for itself.
  setNumThreads(availableParallelism())
  const tokenizer = await Tokenizer.load(context.folderOf('tokenizer'))
  const { layers, hidden_size, heads, intermediate_size } = config.model
  const model = LanguageModel.create(
    tokenizer,
    { layers, heads, hiddenSize: hidden_size, intermediateSize: intermediate_size, maxPositions: 512 },
    streamSeed(config.seed, Stream.init),
  )
  const texts = demonstrations(world, config, config.demonstrations)
  const prompts = await model.encode(texts.map(text => text.prompt))
  const replies = await tokenizer.encodeBatch(texts.map(text => text.reply))
  const eos = model.eos[0] as number
  const examples = prompts.map((prompt, i) => ({ prompt, response: Int32Array.of(...replies[i]!.ids, eos) }))
  await sft(model.decoder, examples, config.sft, config.seed, runOf(context, 'SFT'))
  await model.save(join(context.folder, 'model'))
  return { parameters: [...model.decoder.parameters().values()].reduce((sum, p) => sum + p.numel, 0) }
}

export interface PairsResult {
  readonly preferences: LabelAccuracy
  readonly edits: LabelAccuracy
}

/** Two samples a prompt; people prefer one and edit the one they were told is worse. */
async function collectPairs(world: World, config: ExperimentConfig, context: StageContext): Promise<PairsResult> {
  useThreads(context)
  const model = await modelIn(context.folderOf('sft'))
  const { seed } = config
  const { max_new_tokens, temperature } = replySettings(config)
  const total = config.pairs + config.held_out
  const task = context.progress('samples', 2 * total + config.calibration, 'reply')
  let before = 0
  const sample = async (stays: readonly Stay[], stream: Stream): Promise<Sample[]> => {
    const replies = await model.generate(
      stays.map(stay => stay.prompt),
      {
        seed: streamSeed(seed, stream),
        maxNewTokens: max_new_tokens,
        temperature,
        signal: context.signal,
        onProgress: ({ done }) => task.update(before + done),
      },
    )
    before += stays.length
    return replies.map((reply, i) => ({
      prompt: (stays[i] as Stay).prompt,
      reply: { text: reply.text, ids: Array.from(reply.ids), ended: reply.ended },
    }))
  }
  const stays = world.stays('pairs', seed, total)
  const a = await sample(stays, Stream.sampleA)
  const b = await sample(stays, Stream.sampleB)
  const calibration = await sample(world.stays('calibration', seed, config.calibration), Stream.calibration)

  const preferences: Preference[] = []
  const edits: Edit[] = []
  const preferenceRight: { right: boolean | null }[] = []
  const editRight: { right: 'better' | 'equal' | 'worse' }[] = []
  const heldOut: { preferences: Preference[]; edits: Edit[] } = { preferences: [], edits: [] }
  const clean = world.withoutNoise()
  stays.forEach((stay, i) => {
    const [first, second] = [(a[i] as Sample).reply, (b[i] as Sample).reply]
    const labelled = i < config.pairs
    const people = labelled ? world : clean
    const { chosen: side, right } = people.prefer(stay, first, second, i)
    const [chosen, rejected] = side === 'a' ? [first, second] : [second, first]
    const { final, right: better } = people.edit(stay, rejected.text, rejected.ended, i)
    const { edit } = makeEdit({
      prompt: stay.prompt,
      draft: rejected.text,
      final,
      by: { kind: 'script', name: world.name },
      at: '1970-01-01T00:00:00Z',
      sampled: { ids: rejected.ids, tokenizer: model.tokenizer.fingerprint, ended: rejected.ended, model: 'sft' },
    })
    const preference = { id: `${world.name}-${i}`, prompt: stay.prompt, chosen, rejected }
    if (labelled) {
      preferences.push(preference)
      edits.push(edit)
      preferenceRight.push({ right })
      editRight.push({ right: better })
    } else {
      if (right !== null) heldOut.preferences.push(preference)
      if (better === 'better') heldOut.edits.push(edit)
    }
  })
  const file = (name: string) => join(context.folder, name)
  writeRecords(file('preferences.jsonl'), preferences)
  writeRecords(file('edits.jsonl'), edits)
  writeRecords(file('held-out-preferences.jsonl'), heldOut.preferences)
  writeRecords(file('held-out-edits.jsonl'), heldOut.edits)
  writeRecords(file('calibration.jsonl'), calibration)
  return { preferences: labelAccuracy(preferenceRight), edits: labelAccuracy(editRight) }
}

/** Pairs of ids from the pairs stage's files. */
async function readPairs(
  folder: string,
  set: PairSet,
  prefix: '' | 'held-out-',
  model: LanguageModel,
): Promise<Pair[]> {
  const path = join(folder, `${prefix}${set}.jsonl`)
  if (set === 'edits') return pairsFromEdits(readRecords<Edit>(path), model.tokenizer, model.eos[0] as number)
  const preferences = readRecords<Preference>(path)
  return pairsFromPreferences(preferences, await model.encode(preferences.map(preference => preference.prompt)))
}

/** The responses on which rewards are centred and scaled. */
async function calibrationSamples(folder: string, model: LanguageModel) {
  const samples = readRecords<Sample>(join(folder, 'calibration.jsonl'))
  return {
    prompts: await model.encode(samples.map(sample => sample.prompt)),
    responses: samples.map(sample => Int32Array.from(sample.reply.ids)),
    ended: samples.map(sample => sample.reply.ended),
  }
}

export interface RewardReport {
  /** On held-out pairs of both kinds, with noiseless labels. */
  readonly preferences: RewardMetrics
  readonly edits: RewardMetrics
  /** A few held-out edits with the reward of every token of both sides. */
  readonly shown: readonly ShownPair[]
  /** Accuracy of length alone and of the SFT model's log-probability alone, on the same pairs: the same beside every reward model. */
  readonly baselines: Readonly<Record<PairSet, { length: PairAccuracy; logprob: PairAccuracy }>>
}

export interface ShownPair {
  readonly prompt: string
  readonly draft: readonly { text: string; reward: number }[]
  readonly final: readonly { text: string; reward: number }[]
}

const SHOWN = 6

function shownPairs(reward: RewardModel, pairs: readonly Pair[], { tokenizer }: LanguageModel): ShownPair[] {
  const few = pairs.slice(0, SHOWN)
  const scored = scorePairs(reward, few)
  const tokens = (ids: Int32Array, rewards: Float32Array) =>
    Array.from(ids, (id, t) => ({
      text: tokenizer.tokenText(id),
      reward: Number((rewards[t] as number).toPrecision(4)),
    }))
  return few.map((pair, i) => ({
    prompt: tokenizer.decode(pair.prompt),
    draft: tokens(pair.rejected.ids, scored[i]?.rejected as Float32Array),
    final: tokens(pair.chosen.ids, scored[i]?.chosen as Float32Array),
  }))
}

async function rewardModel(
  set: PairSet,
  kind: RewardModel['objective']['kind'],
  config: ExperimentConfig,
  context: StageContext,
): Promise<RewardReport> {
  useThreads(context)
  const model = await modelIn(context.folderOf('sft'))
  const folder = context.folderOf('pairs')
  const pairs = await readPairs(folder, set, '', model)
  const reward = new RewardModel(
    scalarFrom(model.decoder, streamSeed(config.seed, Stream.head)),
    kind,
    model.tokenizer.fingerprint,
  )
  await trainReward(
    reward,
    pairs,
    { ...config.reward, kind: kind as 'token' },
    config.seed,
    runOf(context, `reward ${set} ${kind}`),
  )
  const samples = await calibrationSamples(folder, model)
  for (const payment of kind === 'token' ? (['token', 'token-mean'] as const) : (['terminal', 'uniform'] as const)) {
    fitCalibration(reward, paymentOf(payment), samples, 'SFT samples')
  }
  await reward.save(join(context.folder, 'model'))
  const report = async (held: PairSet) => {
    const common = await readPairs(folder, held, 'held-out-', model)
    // Which length wins is learnt from pairs of that kind, whatever this model learns from.
    const train = held === set ? pairs : await readPairs(folder, held, '', model)
    return { metrics: rewardMetrics(scorePairs(reward, common)), baselines: baselines(model.decoder, train, common) }
  }
  const [preferences, edits] = [await report('preferences'), await report('edits')]
  return {
    shown: shownPairs(reward, await readPairs(folder, 'edits', 'held-out-', model), model),
    preferences: preferences.metrics,
    edits: edits.metrics,
    baselines: { preferences: preferences.baselines, edits: edits.baselines },
  }
}

/** Trains an arm's policy and judges it on the test prompts. */
async function trainArm(world: World, arm: Arm, config: ExperimentConfig, context: StageContext): Promise<Evaluation> {
  useThreads(context)
  const base = await modelIn(context.folderOf('sft'))
  const model = arm.kind === 'sft' ? base : base.clone()
  if (arm.kind === 'finals') {
    const pairs = await readPairs(context.folderOf('pairs'), 'edits', '', model)
    const examples = pairs.map(({ prompt, chosen }) => ({ prompt, response: chosen.ids }))
    await sft(model.decoder, examples, config.finals, config.seed, runOf(context, arm.name))
  }
  if (arm.kind === 'ppo') await trainPolicy(world, arm, config, context, base, model)
  if (arm.kind !== 'sft') await model.save(join(context.folder, 'model'))
  const { max_new_tokens, temperature } = replySettings(config)
  const judged = await judgeReplies(world, model, base.decoder, world.stays('test', config.seed, config.test), {
    seed: streamSeed(config.seed, Stream.evaluation),
    maxNewTokens: max_new_tokens,
    temperature,
    signal: context.signal,
  })
  writeRecords(join(context.folder, 'replies.jsonl'), judged)
  const evaluation = summarise(judged)
  writeAtomically(join(context.folder, 'evaluation.json'), JSON.stringify(evaluation, null, 2) + '\n')
  return evaluation
}

/** Trains `policy` in place by the arm's reward. */
export async function trainPolicy(
  world: World,
  arm: Extract<Arm, { kind: 'ppo' }>,
  config: ExperimentConfig,
  context: StageContext,
  base: LanguageModel,
  policy: LanguageModel,
): Promise<void> {
  const settings = armPpo(config, arm)
  const stays = world.stays('ppo', config.seed, config.prompts)
  const { reward, value } = await rewardFor(world, arm, stays, config, context, base)
  const validation = world.stays('validation', config.seed, config.validation)
  const prompts = await policy.encode(stays.map(stay => stay.prompt))
  const encoded = await policy.encode(validation.map(stay => stay.prompt))
  await ppo(
    {
      policy: policy.decoder,
      reference: base.decoder,
      value,
      prompts,
      reward,
      eos: policy.eos,
      decode: ids => policy.tokenizer.decode(ids),
      evaluate: () => winRateOn(world, policy, validation, encoded, settings),
    },
    settings,
    config.seed,
    runOf(context, arm.name),
  )
}

/** Win rate on validation prompts, for the curves. */
function winRateOn(
  world: World,
  policy: LanguageModel,
  stays: readonly Stay[],
  prompts: readonly Int32Array[],
  settings: { max_new_tokens: number; temperature: number },
): Record<string, number> {
  const replies = policy.complete(prompts, {
    seed: Stream.evaluation,
    maxNewTokens: settings.max_new_tokens,
    temperature: settings.temperature,
  })
  const wins = replies.map(
    (reply, i) => world.compare(stays[i] as Stay, policy.tokenizer.decode(reply.ids), reply.ended) as number,
  )
  return { 'eval/win_rate': (100 * wins.reduce((sum, win) => sum + win, 0)) / wins.length }
}

/** What pays an arm, and the value model it starts with: the reward model's trunk where there is one, else SFT's. */
async function rewardFor(
  world: World,
  arm: Extract<Arm, { kind: 'ppo' }>,
  stays: readonly Stay[],
  config: ExperimentConfig,
  context: StageContext,
  base: LanguageModel,
): Promise<{ reward: PaidReward; value: ScalarModel }> {
  if (arm.reward !== 'oracle') {
    const model = await RewardModel.load(join(context.folderOf(rewardStage(arm) as string), 'model'))
    const payment = paymentOf(arm.payment)
    const calibration = model.calibrations[payment.name]
    if (!calibration) throw new Error(`reward model without a calibration for ${payment.name}`)
    return { reward: learnedReward(model, payment, calibration), value: valueFrom(model.scalar) }
  }
  const score = (stay: Stay, ids: Int32Array, ended: boolean) =>
    -world.judge(stay, base.tokenizer.decode(ids), ended).weighted
  const samples = await calibrationSamples(context.folderOf('pairs'), base)
  const calibrationStays = world.stays('calibration', config.seed, config.calibration)
  const readings = samples.responses.map((ids, i) => ({
    token: [],
    sequence: score(calibrationStays[i] as Stay, ids, samples.ended[i] as boolean),
  }))
  const calibration = calibrate(readings, paymentOf('terminal'), 'SFT samples')
  return {
    reward: terminalReward((index, ids, ended) => score(stays[index] as Stay, ids, ended), calibration),
    value: valueFrom(base.decoder),
  }
}
