/** Every kind of reward model: one file and one line here. */
import { EmendError } from '../../errors.js'
import type { RewardObjective } from './objective.js'
import { sequence } from './sequence.js'
import { token } from './token.js'

export type { RewardObjective } from './objective.js'

const objectives = { sequence, token } satisfies Record<string, RewardObjective>

export type RewardKind = keyof typeof objectives
export const rewardKinds = Object.keys(objectives) as [RewardKind, ...RewardKind[]]

/** @throws EmendError that lists the kinds there are */
export function objectiveOf(kind: string): RewardObjective {
  const objective = (objectives as Record<string, RewardObjective>)[kind]
  if (!objective) throw new EmendError(`no reward model of kind '${kind}'; there are ${rewardKinds.join(', ')}`)
  return objective
}
