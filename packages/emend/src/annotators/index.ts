/** Who edits: people through the studio, programs through the same queue. */
export type { Annotator, Draft, Edited } from './annotator.js'
export { annotateQueue, type QueueOptions, type QueueReport } from './queue.js'
export { scriptedAnnotator } from './scripted.js'
