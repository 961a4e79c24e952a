/** Embedded benchmarks with a known truth. */

export * from './concierge/index.js'
export type { Defects, Reply, World } from './world.js'
