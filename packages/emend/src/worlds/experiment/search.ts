/**
 * The search of PPO settings: every arm is offered the same points, on one seed that the table does not use, judged on validation
 * prompts that the table does not use. What it chose stands in searched.ts.
 */
import { join } from 'node:path'
import { LanguageModel } from '../../language-model.js'
import type { Stage, StageOutcome } from '../../pipeline/stage.js'
import { useThreads } from '../../pipeline/stage-run.js'
import type { World } from '../world.js'
import { type Arm, armFolder, rewardStage } from './arms.js'
import type { ExperimentConfig } from './config.js'
import { judgeReplies, summarise } from './evaluate.js'
import { experimentStages, trainPolicy } from './stages.js'

/** What every PPO arm is offered: the learning rate and the leash, three points. */
export const POINTS = [
  { learning_rate: 3e-4, kl_coef: 0.1 },
  { learning_rate: 3e-4, kl_coef: 0.2 },
  { learning_rate: 6e-4, kl_coef: 0.1 },
] as const

/** The seed of the search; tables use others. */
export const SEARCH_SEED = 100

export interface Tried {
  readonly arm: string
  readonly learning_rate: number
  readonly kl_coef: number
  /** On validation prompts, in percent. */
  readonly win_rate: number
  readonly standard_error: number
  readonly kl: number
  readonly repeats: number
  readonly avg_tokens: number
}

/** What all arms share, then each arm at each point. */
export function searchStages(world: World, config: ExperimentConfig, arms: readonly Arm[]): Stage[] {
  const learners = arms.filter(arm => arm.kind === 'ppo')
  const shared = experimentStages(world, config, learners).filter(stage => !stage.name.startsWith('arm-'))
  return [
    ...shared,
    ...learners.flatMap(arm =>
      POINTS.map((point): Stage => {
        const reward = rewardStage(arm)
        return {
          name: `search/${armFolder(arm)}/lr-${point.learning_rate}-kl-${point.kl_coef}`,
          needs: ['sft', 'pairs', ...(reward ? [reward] : [])],
          inputs: { arm: arm.name, point, ppo: config.ppo, prompts: config.prompts, validation: config.validation },
          async run(context): Promise<Tried> {
            useThreads(context)
            const base = await LanguageModel.load(join(context.folderOf('sft'), 'model'))
            const policy = base.clone()
            await trainPolicy(world, arm, { ...config, arms: { [arm.name]: point } }, context, base, policy)
            const stays = world.stays('validation', config.seed, config.validation)
            const judged = await judgeReplies(world, policy, base.decoder, stays, {
              seed: config.seed,
              maxNewTokens: config.ppo.max_new_tokens,
              temperature: config.ppo.temperature,
              signal: context.signal,
            })
            const { win_rate, standard_error, kl, repeats, avg_tokens } = summarise(judged)
            return { arm: arm.name, ...point, win_rate, standard_error, kl, repeats, avg_tokens }
          },
        }
      }),
    ),
  ]
}

/** Every point tried, and the best of each arm by validation win rate. */
export function chosen(outcomes: readonly StageOutcome[]): {
  tried: Tried[]
  arms: Record<string, { learning_rate: number; kl_coef: number }>
} {
  const tried = outcomes.filter(({ name }) => name.startsWith('search/')).map(({ result }) => result as Tried)
  const arms: Record<string, { learning_rate: number; kl_coef: number }> = {}
  for (const name of new Set(tried.map(one => one.arm))) {
    const best = tried.filter(one => one.arm === name).reduce((a, b) => (b.win_rate > a.win_rate ? b : a))
    arms[name] = { learning_rate: best.learning_rate, kl_coef: best.kl_coef }
  }
  return { tried, arms }
}
