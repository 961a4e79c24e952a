/** The arms of the controlled experiment (docs/method.md): what each is trained on, by what, and what it asks. */
import { UsageError } from '../../errors.js'
import type { RewardKind } from '../../rewards/objectives/index.js'
import type { PaymentName } from '../../rewards/payments/index.js'

/** Which pairs a reward model learns from: original preferences (chosen ≻ rejected), or edits (final ≻ draft). */
export type PairSet = 'preferences' | 'edits'

export type Arm = { readonly name: string; readonly question: string } & (
  | { readonly kind: 'sft' }
  | { readonly kind: 'finals' }
  | { readonly kind: 'ppo'; readonly reward: 'oracle'; readonly payment: 'terminal' }
  | { readonly kind: 'ppo'; readonly reward: RewardKind; readonly pairs: PairSet; readonly payment: PaymentName }
)

export const ARMS: readonly Arm[] = [
  { name: 'SFT', kind: 'sft', question: 'the floor' },
  { name: 'SFT-on-finals', kind: 'finals', question: 'what do the edits give without any reward?' },
  { name: 'Oracle-PPO', kind: 'ppo', reward: 'oracle', payment: 'terminal', question: 'does the loop work?' },
  {
    name: 'PPO',
    kind: 'ppo',
    pairs: 'preferences',
    reward: 'sequence',
    payment: 'terminal',
    question: 'ordinary RLHF, matched',
  },
  { name: 'FG-PPO', kind: 'ppo', pairs: 'edits', reward: 'sequence', payment: 'terminal', question: 'is it the data?' },
  {
    name: 'FG-token-PPO',
    kind: 'ppo',
    pairs: 'edits',
    reward: 'token',
    payment: 'token',
    question: 'the paper: a reward at every token',
  },
  {
    name: 'FG-token-mean',
    kind: 'ppo',
    pairs: 'edits',
    reward: 'token',
    payment: 'token-mean',
    question: 'paid as it was trained: r_t / T',
  },
]

/** An arm's name as a folder. */
export const armFolder = (arm: Arm): string => `arm-${arm.name.toLowerCase()}`

/** The stage that trains the reward model of an arm; undefined where there is none. */
export function rewardStage(arm: Arm): string | undefined {
  return arm.kind === 'ppo' && arm.reward !== 'oracle' ? `reward-${arm.pairs}-${arm.reward}` : undefined
}

/** The arms of a comma-separated list; all of them without one. */
export function armsNamed(list: string | undefined): readonly Arm[] {
  if (list === undefined) return ARMS
  const names = list.split(',').map(name => name.trim())
  const unknown = names.find(name => !ARMS.some(arm => arm.name === name))
  if (unknown !== undefined) {
    throw new UsageError(`no arm '${unknown}'; there are ${ARMS.map(arm => arm.name).join(', ')}`)
  }
  return ARMS.filter(arm => names.includes(arm.name))
}
