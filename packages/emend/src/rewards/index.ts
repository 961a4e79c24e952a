/** Rewards: objectives (how a reward model is trained), payments (where a reward is paid), and what pays PPO. */

export { type Calibration, type CalibrationSample, calibrate } from './calibration.js'
export { objectiveOf, type RewardKind, type RewardObjective, rewardKinds } from './objectives/index.js'
export { fitCalibration, learnedReward, type PaidReward, terminalReward, type Unpaid } from './paid.js'
export { type Payment, type PaymentName, paymentNames, paymentOf } from './payments/index.js'
export { lastOf, maskedRowMean, type RewardReading } from './reading.js'
export { type Read, RewardModel } from './reward-model.js'
export { baselines, scorePairs } from './score-pairs.js'
