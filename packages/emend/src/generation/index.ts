/** Generation from a decoder, and the sampling behind it. */

export { type Generated, type GenerateOptions, type GenerationProgress, generate } from './generate.js'
export { checkShaping, draw, type Shaping, shapedLogprobs } from './sampler.js'
