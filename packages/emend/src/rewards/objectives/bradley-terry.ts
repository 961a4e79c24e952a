/** −log σ(R(chosen) − R(rejected)): the chance, under Bradley and Terry's model, that the chosen one wins. */
import { type Tensor, torch } from '@emend/torch'
import type { RewardReading } from '../reading.js'

/** Readings of B pairs → loss per pair [B]. */
export function bradleyTerry(chosen: RewardReading, rejected: RewardReading): Tensor {
  return torch.log_sigmoid(chosen.sequence.sub(rejected.sequence)).neg()
}
