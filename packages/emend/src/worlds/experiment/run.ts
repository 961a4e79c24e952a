/** Runs the controlled experiment: every stage in a child process, independent ones side by side, done ones skipped. */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { writeAtomically } from '../../pipeline/atomic-file.js'
import { assertDone, runStages, type Stage, type StageOptions, type StageOutcome } from '../../pipeline/stage.js'
import { concierge } from '../concierge/index.js'
import { ARMS, type Arm } from './arms.js'
import { type ExperimentConfig, experimentConfig } from './config.js'
import { chosen, searchStages } from './search.js'
import { experimentStages } from './stages.js'

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url))

/**
 * Runs what is not done yet of the experiment in `folder`.
 *
 * @returns the outcome of every stage; an arm's result is its evaluation
 * @throws EmendError when a stage failed, Interrupted on Ctrl-C
 */
export async function runExperiment(
  config: ExperimentConfig,
  folder: string,
  options: Options = {},
): Promise<StageOutcome[]> {
  const { arms = ARMS, ...rest } = options
  return runDescribed({ what: 'experiment', config, arms: arms.map(arm => arm.name) }, folder, rest)
}

/** Runs the search of settings in `folder`; resumable like the experiment. */
export async function runSearch(config: ExperimentConfig, folder: string, options: Options = {}) {
  const { arms = ARMS, ...rest } = options
  return chosen(await runDescribed({ what: 'search', config, arms: arms.map(arm => arm.name) }, folder, rest))
}

type Options = Pick<StageOptions, 'signal' | 'onProgress' | 'onLine'> & { arms?: readonly Arm[] }

/** What a run's child processes are told, in a file. */
interface Described {
  readonly what: 'experiment' | 'search'
  readonly config: unknown
  readonly arms: readonly string[]
}

async function runDescribed(
  described: Described,
  folder: string,
  options: Omit<Options, 'arms'>,
): Promise<StageOutcome[]> {
  const file = join(folder, 'config.json')
  writeAtomically(file, JSON.stringify(described, null, 2))
  writeAtomically(join(folder, 'config.yaml'), stringify(described.config))
  const stages = stagesOf(file)
  const outcomes = await runStages(stages, {
    ...options,
    folder,
    concurrency: availableParallelism(),
    child: { entry: CHILD, args: stage => [file, folder, stage] },
  })
  assertDone(outcomes)
  return outcomes
}

/** The stages that a file written by `runDescribed` tells. */
export function stagesOf(file: string): Stage[] {
  const { what, config, arms } = JSON.parse(readFileSync(file, 'utf8')) as Described
  const build = what === 'search' ? searchStages : experimentStages
  return build(
    concierge,
    experimentConfig.parse(config),
    ARMS.filter(arm => arms.includes(arm.name)),
  )
}
