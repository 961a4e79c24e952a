/** Where the games of an evaluation come from: a file of judgements, a world, or outputs that a judge compares. */
import type { Prompt } from '@emend/edits'
import { EmendError, UsageError } from '../../errors.js'
import type { Annotation } from '../../evaluation/annotations.js'
import type { Judge, Judging, JudgingForecast } from '../../evaluation/judges/index.js'
import type { ModelOutput, OutputPair } from '../../evaluation/outputs.js'
import { interruptSignal } from '../../pipeline/interrupt.js'
import { progress } from '../../progress.js'
import type { CallSummary } from '../../providers/index.js'
import { openCaller, pricesOf } from '../chat-model.js'
import { deviceOption } from '../training.js'
import type { EvaluateFlags } from './flags.js'

/** Judged games, and what became of the judging if it was done now. */
export interface Games {
  readonly annotations: readonly Annotation[]
  readonly judging?: Omit<Judging, 'judgements'>
  /** Outputs of one file whose instruction the other has not. */
  readonly unmatched?: { readonly reference: number; readonly model: number }
  readonly calls?: { readonly summary: CallSummary; readonly priced: boolean }
}

/** Judgements on file. */
export async function keptGames(flags: EvaluateFlags): Promise<Games> {
  const { readAnnotations } = await import('../../evaluation/annotations.js')
  return { annotations: await readAnnotations(flags.annotations!) }
}

/** The replies of a model to a world's test prompts against its reference, judged by its oracle, which knows how each reply ended. */
export async function worldGames(flags: EvaluateFlags): Promise<Games> {
  const { concierge } = await import('../../worlds/concierge/index.js')
  const stays = concierge.stays('test', flags.seed ?? 1, flags.n)
  const replies = await repliesOf(
    stays.map(stay => stay.prompt),
    flags,
  )
  return {
    annotations: replies.map((reply, i) => ({
      instruction: stays[i]!.prompt,
      output_1: concierge.reference(stays[i]!),
      generator_1: 'reference',
      output_2: reply.text,
      generator_2: flags.name ?? flags.model!,
      annotator: `oracle:${concierge.name}`,
      preference: 1 + concierge.compare(stays[i]!, reply.text, reply.ended),
    })),
  }
}

/** Outputs on file, or a model's to the instructions of the reference, compared by the judge that was named. */
export async function judgedGames(flags: EvaluateFlags): Promise<Games> {
  const { pairs, unmatched } = await pairedOutputs(flags)
  const { judgeOutputs } = await import('../../evaluation/judges/index.js')
  const { judge, parallel, calls, close } = await openJudge(flags)
  using _ = { [Symbol.dispose]: close }
  const line = progress('judge', pairs.length, 'games')
  const { judgements, ...judging } = await judgeOutputs(pairs, judge, {
    ...{ parallel, signal: interruptSignal() },
    onJudgement: done => line.update(done, note(calls?.().summary)),
  })
  line.finish(note(calls?.().summary))
  return { annotations: judgements, judging, unmatched, ...(calls && { calls: calls() }) }
}

/** What a language model would be asked, and what it would cost. */
export async function dryRun(flags: EvaluateFlags): Promise<JudgingForecast> {
  const { pairs } = await pairedOutputs(flags)
  const { forecastJudging } = await import('../../evaluation/judges/index.js')
  const { caller, store } = await openCaller(flags)
  using _ = store
  const { maxTokens, seed = 0, bothOrders } = flags
  const prices = pricesOf(flags)
  return forecastJudging(pairs, caller, {
    ...{ maxTokens, seed, order: bothOrders ? 'both' : seed },
    ...(prices && { prices }),
  })
}

async function pairedOutputs(flags: EvaluateFlags) {
  const { referenceOutputs, modelOutputs } = flags
  const { joinByInstruction, readOutputs } = await import('../../evaluation/outputs.js')
  const reference = await readOutputs(referenceOutputs!)
  const outputs = modelOutputs === undefined ? await generated(reference, flags) : await readOutputs(modelOutputs)
  const { pairs, onlyInA, onlyInB } = joinByInstruction(reference, outputs)
  if (pairs.length === 0)
    throw new EmendError(
      `no instruction of ${modelOutputs} is one of ${referenceOutputs}; both must be to the same ones`,
    )
  return {
    pairs: pairs.map(([reference, model]): OutputPair => ({ instruction: reference.instruction, reference, model })),
    unmatched: { reference: onlyInA, model: onlyInB },
  }
}

interface OpenJudge {
  readonly judge: Judge
  readonly parallel: number
  readonly calls?: () => NonNullable<Games['calls']>
  close(): void
}

async function openJudge(flags: EvaluateFlags): Promise<OpenJudge> {
  const { bothOrders, llmJudge, ORACLES, rewardJudge, seededOrder } = await import('../../evaluation/judges/index.js')
  const { seed = 0 } = flags
  const closed = { parallel: 1, close: () => {} }
  if (flags.judge === 'oracle') {
    const { world = 'concierge' } = flags
    const judge = Object.hasOwn(ORACLES, world) ? ORACLES[world] : undefined
    if (!judge) throw new UsageError(`--world: got ${world}, expected ${Object.keys(ORACLES).join(' or ')}`)
    return { judge, ...closed }
  }
  if (flags.judge === 'reward') {
    const { loadReward } = await import('./reward.js')
    const { reward, tokenizer } = await loadReward(flags)
    return { judge: rewardJudge(reward, tokenizer, `reward:${flags.reward}`), ...closed }
  }
  const { caller, store } = await openCaller(flags)
  const judge = llmJudge(caller, { maxTokens: flags.maxTokens, seed })
  return {
    judge: flags.bothOrders ? bothOrders(judge) : seededOrder(judge, seed),
    parallel: flags.concurrency,
    calls: () => ({ summary: caller.summary(), priced: pricesOf(flags) !== undefined }),
    close: () => store[Symbol.dispose](),
  }
}

function note(summary: CallSummary | undefined): string | undefined {
  if (!summary) return undefined
  const failed = Object.values(summary.failures).reduce((sum, { n }) => sum + n, 0)
  const spent = summary.spent > 0 ? `, ${summary.spent.toFixed(4)} spent` : ''
  return `${summary.attempts} requests, ${summary.cached} from disk, ${failed} failed${spent}`
}

async function generated(reference: readonly ModelOutput[], flags: EvaluateFlags) {
  const prompts = reference.map(({ instruction }) =>
    flags.chat ? [{ role: 'user' as const, content: instruction }] : instruction,
  )
  const replies = await repliesOf(prompts, flags)
  return replies.map(
    ({ text }, i): ModelOutput => ({
      instruction: reference[i]!.instruction,
      output: text,
      generator: flags.name ?? flags.model!,
    }),
  )
}

async function repliesOf(prompts: readonly Prompt[], flags: EvaluateFlags) {
  const { seed = 1, maxNewTokens, temperature, threads } = flags
  const { LanguageModel } = await import('../../index.js')
  if (threads !== undefined) (await import('@emend/torch')).setNumThreads(threads)
  const model = await LanguageModel.load(flags.model!, deviceOption(flags))
  const line = progress('generate', prompts.length, 'replies')
  const replies = await model.generate(prompts, {
    ...{ seed, maxNewTokens, temperature, signal: interruptSignal() },
    onProgress: ({ done, tokens }) => line.update(done, `${tokens} tokens`),
  })
  line.finish()
  return replies
}
