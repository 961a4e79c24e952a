/** Generation from a decoder: the engine, the sampling behind it, and text as it streams. */

export { type Answer, type AnswerOptions, answer } from './answer.js'
export { type EngineOptions, GenerationEngine, usualRows } from './engine.js'
export { type GenerateOptions, type GenerationProgress, generate, generateAsync } from './generate.js'
export type { Finish, Generated, GeneratedToken, GenerationRequest } from './request.js'
export {
  checkShaping,
  type Draw,
  type Drawn,
  draw,
  PLAIN,
  penalise,
  type Shaping,
  sample,
  shapedLogprobs,
} from './sampler.js'
export { TextStream, type TextStreamOptions } from './text-stream.js'
