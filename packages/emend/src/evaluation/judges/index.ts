/** Judges: language models, reward models, and worlds that know. */
export * from './forecast.js'
export * from './judge.js'
export * from './judging.js'
export * from './llm.js'
export * from './oracle.js'
export * from './orders.js'
export * from './reward.js'
