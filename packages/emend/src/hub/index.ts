/** Models from a hub: pulled into the cache that Hugging Face's tools share, and found there by name. */

export { hubCache } from './cache.js'
export { type Pulled, type PullOptions, pull } from './pull.js'
export { resolveModel } from './resolve.js'
