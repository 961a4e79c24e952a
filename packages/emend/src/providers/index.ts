/** Language models for whoever needs one: behind an API, in this process, or played by a program. */
export * from './call-error.js'
export { CallStore } from './call-store.js'
export { Caller, type CallerOptions, type CallSummary } from './caller.js'
export * from './chat-model.js'
export { filesIdentity, localModel } from './local.js'
export { aboutTokens, mostTokens, type Prices } from './price.js'
export { PROVIDERS, type Provider, type RemoteSettings, remoteModel } from './remote.js'
export { scriptedModel } from './scripted.js'
