/** Judges: language models, reward models, and worlds that know. */
export * from './judge.js'
export * from './llm.js'
export * from './orders.js'
