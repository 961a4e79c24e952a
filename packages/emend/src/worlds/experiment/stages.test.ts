import { expect, it } from 'vitest'
import type { Stage } from '../../pipeline/stage.js'
import { concierge } from '../concierge/index.js'
import { ARMS, armFolder } from './arms.js'
import { experimentConfig } from './config.js'
import { experimentStages } from './stages.js'

const stages = (ppo: object) => experimentStages(concierge, experimentConfig.parse({ ppo: { steps: 4, ...ppo } }), ARMS)

it.each([{ temperature: 0.7 }, { max_new_tokens: 50 }])('replies sampled by %j are made anew, in every arm', other => {
  const before = new Map(stages({}).map(stage => [stage.name, stage]))
  const isOther = ({ name, inputs }: Stage) => JSON.stringify(inputs) !== JSON.stringify(before.get(name)!.inputs)
  const changed = stages(other).filter(isOther)
  expect(changed.map(({ name }) => name).sort()).toEqual([...ARMS.map(armFolder), 'pairs'].sort())
})
