/** Data: one file per format. Readers stop at, or count, what is broken, and say where it stands. */
export * from './drafts.js'
export { type JsonLine, readJsonl } from './jsonl.js'
export * from './preferences.js'
export * from './prompts.js'
export type { OnBad, ReadReport, SetAside } from './reading.js'
export * from './splits.js'
