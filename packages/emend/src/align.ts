/** The method in a few calls: edits → reward model → policy. The CLI's stages are these. */
import { join } from 'node:path'
import type { Edit, Prompt } from '@emend/edits'
import { init } from '@emend/torch'
import { type DpoSettings, dpoConfig, dpo as trainDpo } from './algorithms/dpo.js'
import { pairsFromEdits } from './algorithms/edit-pairs.js'
import type { Pair } from './algorithms/pairs.js'
import { type PpoConfig, type PpoParts, type PpoSettings, ppo, ppoConfig } from './algorithms/ppo.js'
import { type RewardConfig, type RewardSettings, rewardConfig, trainReward } from './algorithms/reward.js'
import { type SftSettings, sft, sftConfig } from './algorithms/sft.js'
import { refuseUnsavable } from './checkpoints/index.js'
import { EmendError } from './errors.js'
import type { LanguageModel } from './language-model.js'
import {
  adaptedScalar,
  adaptedValue,
  freeOwn,
  mergeAdapter,
  type ScalarModel,
  scalarFrom,
  valueFrom,
} from './models/index.js'
import { checkConfig } from './pipeline/config.js'
import { refuseUnknown } from './pipeline/known-options.js'
import { keepCalibration, keptCalibration } from './rewards/calibration.js'
import { fitCalibration, learnedReward } from './rewards/paid.js'
import { type PaymentName, paymentOf } from './rewards/payments/index.js'
import { RewardModel } from './rewards/reward-model.js'
import { Run, type RunOptions } from './training/run.js'

/** How a training call is seeded, watched, stopped and resumed; see `Run`. */
export interface TrainingOptions extends RunOptions {
  readonly seed?: number
}

const TRAINING_OPTIONS = {
  seed: true,
  folder: true,
  checkpointEvery: true,
  signal: true,
  onProgress: true,
  onLine: true,
} as const

/** The seed, and what the run is told. @throws EmendError naming an option that there is not */
function seedAndRun(options: TrainingOptions): { seed: number; runOptions: RunOptions } {
  refuseUnknown('training', options, TRAINING_OPTIONS)
  const { seed = 1, ...runOptions } = options
  return { seed, runOptions }
}

/** The id that ends a response of `model`. */
function endOf(model: LanguageModel): number {
  const [eos] = model.eos
  if (eos === undefined)
    throw new EmendError('the model has no end-of-text token (eos_token_id), so no response could ever end')
  return eos
}

/** Pairs of ids from edits, or the pairs themselves. */
async function asPairs(model: LanguageModel, data: readonly Edit[] | readonly Pair[]): Promise<readonly Pair[]> {
  if (isPairs(data)) return data
  const strange = data.findIndex(edit => typeof edit?.draft !== 'string' || typeof edit.final !== 'string')
  if (strange >= 0) throw new EmendError(`edits[${strange}]: expected an edit, whose draft and final are texts`)
  return pairsFromEdits(data, model.tokenizer, endOf(model))
}
const isPairs = (data: readonly Edit[] | readonly Pair[]): data is readonly Pair[] =>
  (data[0] as Partial<Pair> | undefined)?.chosen !== undefined

/**
 * Fine-tunes on texts: each prompt followed by its response.
 * @returns `model`, trained in place; or with `lora` another one in its memory, which reads through the adapter trained
 */
export async function fineTune(
  model: LanguageModel,
  texts: readonly { readonly prompt: Prompt; readonly response: string }[],
  config: SftSettings = {},
  options: TrainingOptions = {},
): Promise<LanguageModel> {
  const { seed, runOptions } = seedAndRun(options)
  if (texts.length === 0) throw new EmendError('no texts to fine-tune on')
  const eos = endOf(model)
  const silent = texts.findIndex(text => typeof text.response !== 'string')
  if (silent >= 0)
    throw new EmendError(`texts[${silent}]: response: expected text, got ${typeof texts[silent]!.response}`)
  const prompts = await model.encode(texts.map(text => text.prompt))
  const responses = await model.tokenizer.encodeBatch(texts.map(text => text.response))
  const examples = prompts.map((prompt, i) => ({
    prompt,
    response: Int32Array.of(...responses[i]!.ids, eos),
  }))
  const settings = checkConfig(sftConfig, config)
  if (!settings.lora && model.decoder.trainable().size === 0) {
    throw new EmendError('the weights of the model are frozen, since an adapter reads them: give lora, or a clone()')
  }
  const tuned = settings.lora ? model.adapted(settings.lora, seed) : model
  try {
    await sft(tuned.decoder, examples, settings, seed, new Run(runOptions))
  } catch (error) {
    if (tuned !== model) freeOwn(tuned.decoder)
    throw error
  }
  if (tuned === model) model.base = null
  return tuned
}

/**
 * Trains a reward model from edits (final ≻ draft) or from pairs: on a copy of the trunk of `model`, or with `lora` on an
 * adapter in its memory.
 */
export async function trainRewardModel(
  model: LanguageModel,
  data: readonly Edit[] | readonly Pair[],
  config: RewardSettings = {},
  options: TrainingOptions = {},
): Promise<RewardModel> {
  const { seed, runOptions } = seedAndRun(options)
  if (data.length === 0) throw new EmendError('no edits to train a reward model on')
  const settings = checkConfig(rewardConfig, config)
  const pairs = await asPairs(model, data)
  const reward = newReward(model, settings, seed)
  try {
    await trainReward(reward, pairs, settings, seed, new Run(runOptions))
    return reward
  } catch (error) {
    freeOwn(reward.scalar)
    throw error
  }
}

/** An untrained reward model on the trunk of `model`, as the settings say. */
export function newReward(model: LanguageModel, { lora, kind, head_init }: RewardConfig, seed: number): RewardModel {
  if (lora) refuseUnsavable(model.decoder.config)
  const scalar = lora ? adaptedScalar(model.decoder, lora, seed) : scalarFrom(model.decoder, seed)
  if (head_init === 'zero') init.zeros_(scalar.score.weight)
  if (scalar.model.adapter) scalar.model.adapter.base = model.base
  return new RewardModel(scalar, kind, model.tokenizer.fingerprint)
}

export interface AlignOptions extends TrainingOptions, PpoSettings {
  /** Texts and conversations, or ids as they are. */
  readonly prompts: readonly Prompt[] | readonly Int32Array[]
  readonly reward: RewardModel
  /** Where the reward is paid; default `token-mean` for a token-level reward model, `terminal` for another. */
  readonly payment?: PaymentName
  readonly evaluate?: PpoParts['evaluate']
  /** Told how many of the samples are there on which the reward is centred and scaled, before the first step. */
  readonly onCalibration?: (done: number, total: number) => void
}

/** How many samples of the model a reward is centred and scaled on. */
const CALIBRATION_SAMPLES = 256

/**
 * PPO from `model`, which stays as it is and serves as the reference. With `lora` there is one copy of its weights: policy
 * and value model are adapters on them, and so is the reward model where it was trained so.
 *
 * The reward is centred and scaled on samples of `model` first: with token rewards the level decides whether long or short
 * answers pay, and the scale how much the KL penalty weighs. Where there is a `folder`, both are in its `calibration.json`, from
 * where a run that goes on takes them.
 *
 * @returns the aligned model
 * @throws EmendError when the reward model reads another tokenizer's ids; ConfigError naming the setting that cannot be
 */
export async function align(model: LanguageModel, options: AlignOptions): Promise<LanguageModel> {
  const { prompts: given, reward, seed = 1, evaluate, ...others } = options
  const { folder, checkpointEvery, signal, onProgress, onLine, onCalibration, ...rest } = others
  if (!(reward instanceof RewardModel)) throw new EmendError('reward: expected a RewardModel')
  const { payment: name = reward.objective.kind === 'token' ? 'token-mean' : 'terminal', ...settings } = rest
  if (reward.tokenizer !== model.tokenizer.fingerprint) {
    throw new EmendError(
      'the reward model was trained with another tokenizer than the model has: train it on this model',
    )
  }
  const config = checkConfig(ppoConfig, settings)
  const payment = paymentOf(name)
  const prompts =
    Array.isArray(given) && given[0] instanceof Int32Array
      ? (given as readonly Int32Array[])
      : await model.encode(given as readonly Prompt[])
  if (prompts.length === 0) throw new EmendError('no prompts for PPO to sample from')
  if (payment.of === 'token' && reward.objective.kind === 'sequence')
    onLine?.(`ppo: '${name}' pays what this reward model says of every token, though it was trained on the last alone`)
  const run = new Run({
    ...(folder !== undefined && { folder }),
    ...(checkpointEvery !== undefined && { checkpointEvery }),
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
    ...(onLine && { onLine }),
  })
  const file = folder === undefined ? undefined : join(folder, 'calibration.json')
  // A run that goes on, or is done, is paid as it was.
  let calibration = file !== undefined && run.begun ? keptCalibration(file, name) : undefined
  if (calibration) reward.calibrations[name] = calibration
  else {
    const sampled = Array.from({ length: CALIBRATION_SAMPLES }, (_, i) => prompts[i % prompts.length] as Int32Array)
    run.say(`ppo: sampling ${CALIBRATION_SAMPLES} replies of the model, to centre and scale the reward on them`)
    const samples = await model.completeAsync(sampled, {
      seed,
      maxNewTokens: config.max_new_tokens,
      temperature: config.temperature,
      ...(signal && { signal }),
      ...(onCalibration && { onProgress: ({ done, total }) => onCalibration(done, total) }),
    })
    const responses = samples.map(sample => sample.ids)
    calibration = fitCalibration(reward, payment, { prompts: sampled, responses }, 'samples of the reference model')
    if (file !== undefined) keepCalibration(file, name, calibration)
  }
  const { lora } = config
  const aligned = lora ? model.adapted(lora, seed) : model.clone()
  const value = newValue(model, reward, config, seed)
  try {
    await ppo(
      {
        policy: aligned.decoder,
        reference: model.decoder,
        value,
        prompts,
        reward: learnedReward(reward, payment, calibration),
        eos: model.eos,
        decode: ids => model.tokenizer.decode(ids),
        ...(evaluate && { evaluate }),
      },
      config,
      seed,
      run,
    )
    return aligned
  } catch (error) {
    freeOwn(aligned.decoder)
    throw error
  } finally {
    freeOwn(value)
  }
}

/** A value model on the trunk of the reward model; with `lora` an adapter in the memory of `model`. */
function newValue(model: LanguageModel, { scalar }: RewardModel, { lora }: PpoConfig, seed: number): ScalarModel {
  if (lora) return adaptedValue(model.decoder, scalar, lora, seed + 1)
  if (!scalar.model.adapter) return valueFrom(scalar)
  using merged = mergeAdapter(scalar)
  return valueFrom(merged)
}

/** DPO from `model`, which stays as it is and serves as the reference. */
export async function alignByDpo(
  model: LanguageModel,
  data: readonly Edit[] | readonly Pair[],
  config: DpoSettings = {},
  options: TrainingOptions = {},
): Promise<LanguageModel> {
  const { seed, runOptions } = seedAndRun(options)
  if (data.length === 0) throw new EmendError('no edits or preferences for DPO')
  const settings = checkConfig(dpoConfig, config)
  const pairs = await asPairs(model, data)
  const aligned = settings.lora ? model.adapted(settings.lora, seed) : model.clone()
  try {
    await trainDpo(aligned.decoder, model.decoder, pairs, settings, seed, new Run(runOptions))
    return aligned
  } catch (error) {
    freeOwn(aligned.decoder)
    throw error
  }
}
