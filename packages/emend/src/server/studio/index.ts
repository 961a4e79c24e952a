/** The studio: a page where people edit, and look at texts through a reward model. */
export { contentOfRun, latestDemo, type RunContent, sourceOf } from './from-run.js'
export { type Heat, RewardReader } from './reward-reader.js'
export { type RunningStudio, type StudioOptions, startStudio } from './studio.js'
