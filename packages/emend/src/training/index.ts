/** Training: the step that every algorithm shares, checkpoints, and a run's place in time. */

export { Checkpoints } from './checkpoints.js'
export { Run, type RunOptions } from './run.js'
export { type State, type Stateful, weightsOf } from './stateful.js'
export { annealed, NonFiniteError, type Part, type StepStats, Trainer, type TrainerOptions } from './trainer.js'
