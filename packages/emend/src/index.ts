/** emend: align language models from edits. */
export { type Edit, makeEdit } from '@emend/edits'
export { pairsFromEdits, promptText } from './algorithms/edit-pairs.js'
export type { Pair, Response } from './algorithms/pairs.js'
export {
  type AlignOptions,
  align,
  alignByDpo,
  fineTune,
  type TrainingOptions,
  trainRewardModel,
} from './align.js'
export { readEdits, readPreferences, readPrompts } from './data/index.js'
export { ConfigError, DataError, EmendError, Interrupted } from './errors.js'
export type { Answer } from './generation/index.js'
export { type Completion, LanguageModel } from './language-model.js'
export { RewardModel } from './rewards/reward-model.js'
export { encodePrompts, Tokenizer, trainTokenizer } from './text/index.js'
