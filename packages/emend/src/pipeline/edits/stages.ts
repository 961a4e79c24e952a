/** From a file of edits to an aligned policy: tokenizer → SFT → reward model → PPO → report, each a stage. */
import { join } from 'node:path'
import type { Edit } from '@emend/edits'
import type { Device } from '@emend/torch'
import { pairsFromEdits, promptText } from '../../algorithms/edit-pairs.js'
import type { Pair } from '../../algorithms/pairs.js'
import { trainReward } from '../../algorithms/reward.js'
import { responseLogprobs, sft } from '../../algorithms/sft.js'
import { align, newReward } from '../../align.js'
import { firstThird, readEdits, splitFile } from '../../data/index.js'
import { EmendError } from '../../errors.js'
import { mean, repeats, rewardMetrics } from '../../evaluation/index.js'
import { LanguageModel } from '../../language-model.js'
import { reporting } from '../../progress.js'
import { learnedReward } from '../../rewards/paid.js'
import { paymentOf } from '../../rewards/payments/index.js'
import { RewardModel } from '../../rewards/reward-model.js'
import { baselines, scorePairs } from '../../rewards/score-pairs.js'
import { trainTokenizer } from '../../text/index.js'
import type { Stage, StageContext } from '../stage.js'
import { runOf, runOptions, useThreads } from '../stage-run.js'
import type { EditsConfig } from './config.js'

const SPECIALS = ['<pad>', '<bos>', '<eos>'] as const
export function editsStages(config: EditsConfig): Stage[] {
  const { seed, data, model } = config
  const files = [data.train, data.dev]
  const from = model.path ? { model: model.path } : {}
  return [
    {
      name: 'sft',
      inputs: { seed, data, tokenizer: config.tokenizer, model, sft: config.sft },
      files: [...files, ...Object.values(from)],
      run: context => supervised(config, context),
    },
    {
      name: 'reward',
      needs: ['sft'],
      inputs: { seed, reward: config.reward },
      run: context => reward(config, context),
    },
    {
      name: 'ppo',
      needs: ['sft', 'reward'],
      inputs: { seed, ppo: config.ppo, payment: config.payment },
      run: context => policy(config, context),
    },
    {
      name: 'evaluate',
      needs: ['sft', 'reward', 'ppo'],
      inputs: { evaluate: config.evaluate },
      run: context => evaluate(config, context),
    },
  ]
}

const placeOf = ({ device, model }: EditsConfig) => ({ device: device as Device, dtype: model.dtype })

async function editsOf(config: EditsConfig, split: 'train' | 'dev') {
  const file = await splitFile(config.data[split], split)
  return readEdits(file, config.data.columns ? { columns: config.data.columns } : {})
}

/**
 * Pairs that fit the context. An edit without a prompt stands after the token that begins a text.
 *
 * @returns also how many were left out
 */
async function pairsOf(
  edits: readonly Edit[],
  model: LanguageModel,
  config: EditsConfig,
): Promise<{ pairs: Pair[]; tooLong: number }> {
  const [eos] = model.eos
  if (eos === undefined) throw new EmendError('the model has no end-of-text token, so no response could ever end')
  const pairs = (await pairsFromEdits(edits, model.tokenizer, eos)).map(pair => ({
    ...pair,
    prompt: begun(pair.prompt, model),
  }))
  const longest = Math.min(model.decoder.config.maxPositions, config.model.context)
  const fits = ({ prompt, chosen, rejected }: Pair) =>
    prompt.length + Math.max(chosen.ids.length, rejected.ids.length) <= longest
  const kept = pairs.filter(fits)
  return { pairs: kept, tooLong: pairs.length - kept.length }
}

/** A prompt that begins with the beginning-of-text token, where the model has one. */
function begun(prompt: Int32Array, model: LanguageModel): Int32Array {
  const { bos } = model.decoder.config
  if (bos !== null) return prompt[0] === bos ? prompt : Int32Array.of(bos, ...prompt)
  if (prompt.length === 0)
    throw new EmendError('an edit without a prompt needs a model with a beginning-of-text token (bos_token_id)')
  return prompt
}

/** What the policy is asked to continue: each edit's prompt, or else the first third of its final text. */
async function promptsOf(edits: readonly Edit[], model: LanguageModel, config: EditsConfig): Promise<Int32Array[]> {
  const texts = edits
    .map(edit => promptText(edit) || firstThird(edit.final).prompt || firstThird(edit.draft).prompt)
    .filter(text => text !== '')
  const room = Math.min(model.decoder.config.maxPositions, config.model.context) / 2
  return (await model.encode(texts)).map(ids => begun(ids, model)).filter(ids => ids.length <= room)
}

async function supervised(config: EditsConfig, context: StageContext): Promise<unknown> {
  useThreads(context)
  const { edits, report } = await editsOf(config, 'train')
  if (edits.length === 0)
    throw new EmendError(`${config.data.train}: no edits to learn from (${report.read} records read)`)
  const model = config.model.path
    ? await LanguageModel.load(config.model.path, placeOf(config))
    : await fromScratch(edits, config, context)
  const { pairs, tooLong } = await pairsOf(edits, model, config)
  const examples = pairs.map(({ prompt, chosen }) => ({ prompt, response: chosen.ids }))
  if (config.sft === null) {
    if (!config.model.path) await model.save(join(context.folder, 'model'))
  } else {
    const tuned = config.sft.lora ? model.adapted(config.sft.lora, config.seed) : model
    await sft(tuned.decoder, examples, config.sft, config.seed, runOf(context, 'SFT'))
    // What comes after trains adapters of its own: on weights, not on an adapter.
    if (config.sft.lora) await tuned.save(join(context.folder, 'adapter'))
    await (config.sft.lora ? tuned.clone() : tuned).save(join(context.folder, 'model'))
  }
  const parameters = [...model.decoder.parameters().values()].reduce((sum, p) => sum + p.numel, 0)
  const { setAside: _, ...counts } = report
  return { parameters, vocab_size: model.tokenizer.vocabSize, edits: counts, tooLong }
}

async function fromScratch(
  edits: readonly Edit[],
  config: EditsConfig,
  { folder }: StageContext,
): Promise<LanguageModel> {
  const texts = edits.flatMap(edit => [promptText(edit), edit.draft, edit.final]).filter(text => text !== '')
  const tokenizer = await trainTokenizer(texts, {
    vocabSize: config.tokenizer.vocab_size,
    specials: [...SPECIALS],
    folder,
  })
  const { layers, hidden_size, heads, context } = config.model
  const shape = { layers, heads, hiddenSize: hidden_size, maxPositions: context, bos: tokenizer.idOf('<bos>') ?? null }
  return LanguageModel.create(tokenizer, shape, config.seed, placeOf(config).device)
}

/** The policy before PPO: what SFT made, or the model as it is. */
const baseIn = (context: StageContext, config: EditsConfig) =>
  LanguageModel.load(
    config.sft === null && config.model.path ? config.model.path : join(context.folderOf('sft'), 'model'),
    placeOf(config),
  )

async function reward(config: EditsConfig, context: StageContext): Promise<unknown> {
  useThreads(context)
  const model = await baseIn(context, config)
  const train = await pairsOf((await editsOf(config, 'train')).edits, model, config)
  const dev = await pairsOf((await editsOf(config, 'dev')).edits, model, config)
  const learned = newReward(model, config.reward, config.seed)
  await trainReward(learned, train.pairs, config.reward, config.seed, runOf(context, 'reward model'))
  await learned.save(join(context.folder, 'model'))
  return {
    n_train: train.pairs.length,
    n_dev: dev.pairs.length,
    dev: rewardMetrics(scorePairs(learned, dev.pairs)),
    baselines: baselines(model.decoder, train.pairs, dev.pairs),
    too_long: { train: train.tooLong, dev: dev.tooLong },
  }
}

async function policy(config: EditsConfig, context: StageContext): Promise<unknown> {
  useThreads(context)
  const base = await baseIn(context, config)
  const share = { ...placeOf(config), share: base }
  const learned = await RewardModel.load(join(context.folderOf('reward'), 'model'), share)
  const prompts = await promptsOf((await editsOf(config, 'train')).edits, base, config)
  const { onProgress, onLine, signal, folder } = runOptions(context, 'PPO')
  const trained = await align(base, {
    ...config.ppo,
    prompts,
    reward: learned,
    payment: config.payment,
    seed: config.seed,
    folder,
    signal,
    onCalibration: reporting(total => context.progress('calibration', total, 'sample')),
    ...(onProgress && { onProgress }),
    ...(onLine && { onLine }),
  })
  await trained.save(join(context.folder, 'model'))
  if (config.ppo.lora?.merge) await trained.clone().save(join(context.folder, 'merged'))
  return { prompts: prompts.length, calibration: learned.calibrations[config.payment] }
}

/** Mean reward, length, repeats and KL of replies to dev prompts, before and after PPO. */
async function evaluate(config: EditsConfig, context: StageContext): Promise<unknown> {
  useThreads(context)
  const before = await baseIn(context, config)
  const share = { ...placeOf(config), share: before }
  const after = await LanguageModel.load(join(context.folderOf('ppo'), 'model'), share)
  const learned = await RewardModel.load(join(context.folderOf('reward'), 'model'), share)
  const { calibration } = context.resultOf('ppo') as { calibration: Parameters<typeof learnedReward>[2] }
  const pay = learnedReward(learned, paymentOf(config.payment), calibration)
  const prompts = (await promptsOf((await editsOf(config, 'dev')).edits, before, config)).slice(
    0,
    config.evaluate.prompts,
  )
  const measure = async (model: LanguageModel) => {
    const { max_new_tokens, temperature } = config.ppo
    const sampling = { seed: config.seed + 1, maxNewTokens: max_new_tokens, temperature }
    const replies = await model.completeAsync(prompts, { ...sampling, signal: context.signal })
    const responses = replies.map(reply => reply.ids)
    const paid = pay({ indices: prompts.map((_, i) => i), prompts, responses: replies })
    const reference = responseLogprobs(before.decoder, prompts, responses, temperature)
    const total = (row: Float32Array) => row.reduce((sum, x) => sum + x, 0)
    return {
      n: prompts.length,
      reward: mean(paid.map(total)),
      length: mean(responses.map(ids => ids.length)),
      repeats: mean(responses.map(ids => repeats(ids))),
      kl: mean(replies.map((reply, i) => total(reply.logprobs) - total(reference[i] as Float32Array))),
      fraction_ended: mean(replies.map(reply => Number(reply.ended))),
    }
  }
  return { before: await measure(before), after: await measure(after) }
}
