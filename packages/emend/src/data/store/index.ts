/** The store: SQLite, several processes at once, nothing acknowledged is ever lost. */
export type { Annotator } from './annotators.js'
export { ClaimError, type ClaimOptions } from './claims.js'
export type { Submission, UndoneItem } from './decisions.js'
export type { ListOptions, NewItem, QueueItem } from './items.js'
export { type Redact, redactContacts } from './redact.js'
export type { DiscardWhy, ItemStatus } from './schema.js'
export { type EditStatistics, editStatistics } from './statistics.js'
export { Store, type StoreOptions } from './store.js'
