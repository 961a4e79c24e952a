/** Algorithms: each tells itself in one file. What trains on what, the losses, and the parts that PPO is made of. */

export { type Advantages, gae, whiten } from './advantages.js'
export { bucketedBatches, microBatches } from './batches.js'
export { type DpoConfig, type DpoSettings, dpo, dpoConfig } from './dpo.js'
export { pairsFromEdits, promptText } from './edit-pairs.js'
export { AdaptiveKL, fixedKL, type KLController, k1, k3 } from './kl.js'
export { dpoLoss, policyLoss, valueLoss } from './losses.js'
export { bothSides, type Pair, pairLength, type Response } from './pairs.js'
export { type PpoConfig, type PpoParts, type PpoSettings, ppo, ppoConfig, promptsOfStep } from './ppo.js'
export { type RewardConfig, type RewardSettings, rewardConfig, splitReading, trainReward } from './reward.js'
export { type Sample, type Shaping, shapedRewards, type Trajectory, trajectories } from './rollouts/trajectory.js'
export { type Example, responseLogprobs, type SftConfig, type SftSettings, sft, sftConfig } from './sft.js'
