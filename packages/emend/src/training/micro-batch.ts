/** How many padded tokens pass forward at once: as configured, or as many as a trial shows to fit. */
import { memory } from '@emend/torch'
import { EmendError } from '../errors.js'
import { Decoder, type ScalarModel } from '../models/index.js'
import { describeMemory, estimateMemory, gigabytes, type MemoryQuestion, weightsIn } from './memory-estimate.js'
import type { Run } from './run.js'
import type { Part, Trainer } from './trainer.js'

/** What the largest micro-batch of an algorithm looks like. */
export interface Trial {
  /** tokens of the longest sample: all that stands padded beside it */
  readonly longest: number
  /** samples of an optimizer step: more never pass at once */
  readonly most: number
  /** micro-batches of `samples` samples of `length` tokens, whatever they say, and whose they are */
  parts(samples: number, length: number): readonly (readonly [Trainer, Part])[]
}

/** What a run is about to do, as far as memory is concerned. */
export interface MemoryPlan {
  /** of the run, in what it says */
  readonly name: string
  readonly settings: { readonly micro_batch_tokens: number | 'auto'; readonly recompute: boolean }
  /** every model in memory; those that are trained first */
  readonly models: readonly [Decoder | ScalarModel, ...(Decoder | ScalarModel)[]]
  readonly trainers: readonly Trainer[]
  readonly trial: Trial
  readonly cache?: MemoryQuestion['cache']
}

/**
 * Decides how many padded tokens pass at once, and says what that is estimated to take. `auto` starts from the estimate,
 * tries a forward and a backward pass of that size, and halves it as long as memory is refused; what was found stands in
 * the run's config.yaml, and a run that goes on takes it from there.
 * @returns the tokens; what looks at the memory in use where no trainer does; and what says at the end how much was measured
 * @throws EmendError when not even the longest sample fits
 */
export function planMemory(plan: MemoryPlan, run: Run): { readonly tokens: number; look(): void; measured(): void } {
  const { name, settings, models, trainers } = plan
  for (const { model } of models) if (model.trainable().size > 0) model.recompute = settings.recompute
  const [trained] = models
  const question = (tokens: number): MemoryQuestion => ({
    config: trained.config,
    weights: weightsIn(models),
    trained: trainers.reduce((sum, trainer) => sum + trainer.size, 0),
    dtype: trained.dtype,
    tokens,
    adapter: trained.model.adapter !== undefined,
    recompute: settings.recompute,
    scalar: !(trained instanceof Decoder),
    ...(plan.cache && { cache: plan.cache }),
  })
  const tokens = settings.micro_batch_tokens === 'auto' ? found(plan, run, question) : settings.micro_batch_tokens
  const { longest, most } = plan.trial
  const estimate = estimateMemory(question(Math.min(tokens, longest * most)))
  run.say(`${name}: up to ${tokens} tokens at once; memory estimated at ${describeMemory(estimate)}`)
  let seen = 0
  return {
    tokens,
    look() {
      seen = Math.max(seen, memory().bytes)
    },
    measured() {
      const peak = Math.max(seen, ...trainers.map(trainer => trainer.peakBytes))
      // A run that was done already.
      if (peak === 0) return
      const resident = process.resourceUsage().maxRSS * 1024
      run.say(
        `${name}: memory measured at ${gigabytes(peak)} GB of tensors (estimated ${gigabytes(estimate.total)}), ` +
          `the process at ${gigabytes(resident)} GB at most`,
      )
    },
  }
}

const KEY = 'micro_batch_tokens'
/** Where more tokens at once are no quicker, on a processor and on an accelerator. */
const ENOUGH = { cpu: 8192, other: 65_536 }

function found(plan: MemoryPlan, run: Run, question: (tokens: number) => MemoryQuestion): number {
  const known = run.found(KEY)
  if (known !== undefined) return known
  const { longest, most } = plan.trial
  const onCpu = plan.models[0].device === 'cpu'
  let tokens = 2 ** Math.ceil(Math.log2(Math.min(longest * most, onCpu ? ENOUGH.cpu : ENOUGH.other)))
  // On an accelerator the limit is of another memory: only the trial tells.
  const fits = () => !onCpu || estimateMemory(question(tokens)).total < memory().limit
  while (tokens > longest && !fits()) tokens /= 2
  for (;;) {
    const samples = Math.max(1, Math.min(most, Math.floor(tokens / longest)))
    try {
      for (const [trainer, part] of plan.trial.parts(samples, longest)) trainer.probe(part)
      break
    } catch (error) {
      if (!/out of memory/i.test((error as Error).message)) throw error
      if (samples === 1) {
        const reason = (error as Error).message.split('\n')[0]
        throw new EmendError(`${plan.name}: not even one sample of ${longest} tokens fits into memory: ${reason}`, {
          cause: error,
        })
      }
      tokens /= 2
    }
  }
  run.keepFound(KEY, tokens)
  return tokens
}
