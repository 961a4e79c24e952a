/** Guards: who answers for a model that is attacked. */
export * from './guard.js'
export * from './guarded.js'
export { type LabelledPrompt, readLabelledPrompts } from './labelled-prompts.js'
export * from './report.js'
export { type SaidOptions, said } from './said.js'
export { DISTILL_PROMPT, SAFETY_PREFIXES, type SafetyPrefix } from './said-prompts.js'
