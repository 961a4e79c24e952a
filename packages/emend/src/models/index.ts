/** Decoders of several families, scalar heads, and what they say about response tokens. */

export { adaptedDecoder, adaptedScalar, adaptedValue, freeOwn, mergeAdapter } from './adapted.js'
export { lengthBatches, mapInBatches } from './bucket.js'
export { type KeyValueCache, RowCache } from './cache.js'
export { type DecoderConfig, type DecoderShape, decoderConfig } from './config.js'
export { Decoder, Trunk } from './decoder.js'
export {
  architectureOf,
  FAMILIES,
  type Family,
  familyOf,
  fromHuggingFace,
  type ModelKind,
  toHuggingFace,
} from './families/index.js'
export { ScalarModel, scalarFrom, valueFrom } from './heads.js'
export { cloneDecoder, createDecoder, initHead } from './init.js'
export { entropyOf, type LogprobsOptions, logitRows, logprobs, logSoftmax, rewardsAt, valuesAt } from './logprobs.js'
export { Adapter, ALL_LINEAR, type LoraConfig } from './lora.js'
export { recomputed, type Segment, Tape } from './recompute.js'
export { gatherAt, pack, responseRows, type Sequences, spread } from './sequences.js'
export { tensorShapes } from './shapes.js'
