/** One reward for the whole response, read at its last token. */
import { lastOf } from '../reading.js'
import { bradleyTerry } from './bradley-terry.js'
import type { RewardObjective } from './objective.js'

export const sequence: RewardObjective = {
  kind: 'sequence',
  source: 'Ouyang et al. 2022 (arXiv 2203.02155), eq. 1',
  sequence: lastOf,
  loss: bradleyTerry,
}
