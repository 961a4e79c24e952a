/** Decoders of Llama's shape, scalar heads, and what they say about response tokens. */

export { adaptedDecoder, adaptedScalar, mergeAdapter } from './adapted.js'
export { lengthBatches, mapInBatches } from './bucket.js'
export { type KeyValueCache, RowCache } from './cache.js'
export { type DecoderConfig, type DecoderShape, decoderConfig, fromHuggingFace, toHuggingFace } from './config.js'
export { Decoder, Trunk } from './decoder.js'
export { ScalarModel, scalarFrom, valueFrom } from './heads.js'
export { cloneDecoder, createDecoder, initHead } from './init.js'
export { Adapter, type LoraConfig } from './lora.js'
export { entropyOf, type LogprobsOptions, logprobs, logSoftmax, rewardsAt, valuesAt } from './logprobs.js'
export { gatherAt, pack, responseRows, type Sequences, spread } from './sequences.js'
