/** A model over HTTP: OpenAI's API for generation, and scores. */

export { isLoopback } from './guard.js'
export { type RunningServer, type ServeOptions, serve } from './serve.js'
