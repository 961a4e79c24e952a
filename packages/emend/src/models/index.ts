/** Decoders of several families, scalar heads, and what they say about response tokens. */

export { adaptedDecoder, adaptedScalar, mergeAdapter } from './adapted.js'
export { lengthBatches, mapInBatches } from './bucket.js'
export { type KeyValueCache, RowCache } from './cache.js'
export { type DecoderConfig, type DecoderShape, decoderConfig } from './config.js'
export { Decoder, Trunk } from './decoder.js'
export { FAMILIES, type Family, fromHuggingFace, type ModelKind, toHuggingFace } from './families/index.js'
export { ScalarModel, scalarFrom, valueFrom } from './heads.js'
export { cloneDecoder, createDecoder, initHead } from './init.js'
export { entropyOf, type LogprobsOptions, logprobs, logSoftmax, rewardsAt, valuesAt } from './logprobs.js'
export { Adapter, type LoraConfig } from './lora.js'
export { gatherAt, pack, responseRows, type Sequences, spread } from './sequences.js'
export { tensorShapes } from './shapes.js'
