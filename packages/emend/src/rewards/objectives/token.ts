/** A reward for every token; the response's is their mean. */
import { maskedRowMean } from '../reading.js'
import { bradleyTerry } from './bradley-terry.js'
import type { RewardObjective } from './objective.js'

export const token: RewardObjective = {
  kind: 'token',
  source: 'Xu et al. 2024 (arXiv 2406.02756): R(y) = (1/T) Σ r_t under Bradley–Terry',
  sequence: maskedRowMean,
  loss: bradleyTerry,
}
